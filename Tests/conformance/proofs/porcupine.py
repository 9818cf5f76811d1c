"""Tests the search on histories with published verdicts: etcd's registers and key-value stores.

The files are those of Porcupine (github.com/anishathalye/porcupine, test_data; MIT licence): `jepsen/etcd_NNN.log` with
the verdicts in `jepsen-expected.tsv`, `kv/*-ok.txt` and `kv/*-bad.txt`.

    deploy/prove histories --known FOLDER
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .linearizability import Operation, State, is_linearizable

ETCD = re.compile(r"INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(\w+)\s+:(\w+)\s+(.*?)\s*$")
KV = re.compile(r'\{:process (\d+), :type :(\w+), :f :(\w+), :key "(.*)", :value (?:nil|"(.*)")\}')
UNKNOWN = ":timed-out"


def register(state: State, asked: Any, answered: Any) -> tuple[bool, State]:
    """A register with read, write and compare-and-exchange."""
    kind, value = asked
    if kind == "read":
        return answered in (state, UNKNOWN), state
    if kind == "write":
        return True, value
    expected, new = value[1:-1].split()
    changed = state == expected
    return answered in (UNKNOWN, changed), new if changed else state


def text(state: State, asked: Any, answered: Any) -> tuple[bool, State]:
    """A text with put, get and append."""
    kind, value = asked
    if kind == "get":
        return answered in (state, UNKNOWN), state
    return True, value if kind == "put" else f"{state}{value}"


def etcd(path: Path) -> list[Operation]:
    """One register; a call that ends with `:info` has no answer, and a failed read has an answer without content."""
    operations, open_calls = [], {}
    for moment, line in enumerate(path.read_text().splitlines()):
        if not (found := ETCD.match(line)):
            continue
        process, event, kind, value = found.groups()
        if event == "invoke":
            open_calls[process] = Operation((kind, value), UNKNOWN, moment, None)
            operations.append(open_calls[process])
        elif event != "info":
            operation = open_calls.pop(process)
            operation.ended = moment
            operation.answered = event == "ok" if kind == "cas" else value
    return operations


def key_values(path: Path) -> list[Operation]:
    """Many texts, each under a key."""
    operations, open_calls = [], {}
    for moment, line in enumerate(path.read_text().splitlines()):
        process, event, kind, key, value = KV.match(line).groups()
        if event == "invoke":
            open_calls[process] = Operation((kind, value), UNKNOWN, moment, None, key)
            operations.append(open_calls[process])
        else:
            operation = open_calls.pop(process)
            operation.ended, operation.answered = moment, value
    return operations


def verdicts(folder: Path) -> Iterator[tuple[str, bool, bool, int]]:
    """Name, known verdict, found verdict and number of operations of every history in a folder."""
    for line in (folder / "jepsen-expected.tsv").read_text().splitlines():
        number, known = line.split()
        path = folder / f"jepsen/etcd_{int(number):03}.log"
        if path.exists():
            operations = etcd(path)
            yield path.stem, known == "true", is_linearizable(operations, register, "nil"), len(operations)
    for path in sorted((folder / "kv").glob("*.txt")):
        operations = key_values(path)
        yield path.stem, path.stem.endswith("-ok"), is_linearizable(operations, text, ""), len(operations)
