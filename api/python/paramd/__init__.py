"""Client of paramd, a parameter server over HTTP: push gradients, pull parameters. NumPy is all it needs."""

from .client import Client
from .errors import (
    BadAnswer,
    Conflict,
    Diverged,
    Fenced,
    Invalid,
    NotFound,
    ParamdError,
    Problem,
    ScheduleExhausted,
    Stale,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from .model import Model
from .results import Curve, Receipt, Snapshot
from .tensors import Rows

__all__ = [
    "BadAnswer",
    "Client",
    "Conflict",
    "Curve",
    "Diverged",
    "Fenced",
    "Invalid",
    "Model",
    "NotFound",
    "ParamdError",
    "Problem",
    "Receipt",
    "Rows",
    "ScheduleExhausted",
    "Snapshot",
    "Stale",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
]
