"""Tables in Markdown, with what is needed to repeat them."""

from __future__ import annotations

import os
import time


def markdown(header: list[str], rows: list[list[str]], command: str) -> str:
    """The rows, then the command, the day and the machine."""
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" if line is not lines[1] else f"|{'|'.join(line)}|" for line in lines)
    return f"{table}\n\n`{command}`, {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {_memory()} GB"


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
