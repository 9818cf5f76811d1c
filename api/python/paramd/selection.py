"""The parameters of a pull, or an average of them, and their type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import NotFound

_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "F32": "F32", "F16": "F16", "BF16": "BF16"}


class Selection:
    """Globs of names, a group, a type, an average: the same for every pull of one loop."""

    def __init__(self, names: str | Sequence[str], group: str | None, dtype: Any, average: str | None = None) -> None:
        self._globs = [names] if isinstance(names, str) else list(names)
        self.query: list[tuple[str, object]] = [("name", glob) for glob in self._globs]
        self.query += [("group", group)] if group is not None else []
        self.query += [("dtype", _wire_type(dtype))] if dtype is not None else []
        self.query += [("average", average)] if average is not None else []
        self.key = str(self.query)

    def check(self, model: str, found: Iterable[str]) -> None:
        """Raises NotFound for a glob without matches: an empty answer would look like a valid one."""
        names = list(found)
        for glob in self._globs:
            if glob not in names and not any(map(_pattern(glob).fullmatch, names)):
                detail = f"No parameter of `{model}` matches `{glob}`; info()['parameters'] lists all of them."
                raise NotFound(404, {"type": "/problems/not-found", "title": "Not found", "detail": detail})


def _pattern(glob: str) -> re.Pattern[str]:
    """As the server matches it: `*` matches any text, `?` any one character, and nothing else is special."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(each) or re.escape(each) for each in glob), re.DOTALL)


def _wire_type(dtype: Any) -> str:
    name = getattr(dtype, "__name__", None) or str(dtype).rpartition(".")[2]
    if name not in _TYPES:
        raise ValueError(f"dtype must be float32, float16 or bfloat16, not {dtype!r}")
    return _TYPES[name]
