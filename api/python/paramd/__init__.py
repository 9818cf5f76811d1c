"""Client of paramd, a parameter server over HTTP: push gradients, pull parameters. NumPy is all it needs."""

from .aio import in_thread
from .arrays import Rows
from .client import Client
from .errors import (
    BadAnswer,
    Conflict,
    CursorUnknown,
    Diverged,
    EventsTooOld,
    Fenced,
    Invalid,
    NotFound,
    ParamdError,
    Problem,
    ProxyAnswer,
    RoundDropped,
    ScheduleExhausted,
    Stale,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from .following import Event, Series
from .model import Model
from .results import Curve, Receipt, Snapshot, State

__all__ = [
    "BadAnswer",
    "Client",
    "Conflict",
    "CursorUnknown",
    "Curve",
    "Diverged",
    "Event",
    "EventsTooOld",
    "Fenced",
    "Invalid",
    "Model",
    "NotFound",
    "ParamdError",
    "Problem",
    "ProxyAnswer",
    "Receipt",
    "RoundDropped",
    "Rows",
    "ScheduleExhausted",
    "Series",
    "Snapshot",
    "Stale",
    "State",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "in_thread",
]
