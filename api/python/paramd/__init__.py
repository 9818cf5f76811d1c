"""Client of paramd, a parameter server over HTTP: push gradients, pull parameters. NumPy is all it needs."""

from .aio import in_thread
from .arrays import Rows
from .client import Client
from .errors import (
    BadAnswer,
    Conflict,
    CursorUnknown,
    Diverged,
    Fenced,
    Invalid,
    NotFound,
    ParamdError,
    Problem,
    ProxyAnswer,
    ScheduleExhausted,
    Stale,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from .model import Model
from .results import Curve, Receipt, Snapshot, State

__all__ = [
    "BadAnswer",
    "Client",
    "Conflict",
    "CursorUnknown",
    "Curve",
    "Diverged",
    "Fenced",
    "Invalid",
    "Model",
    "NotFound",
    "ParamdError",
    "Problem",
    "ProxyAnswer",
    "Receipt",
    "Rows",
    "ScheduleExhausted",
    "Snapshot",
    "Stale",
    "State",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "in_thread",
]
