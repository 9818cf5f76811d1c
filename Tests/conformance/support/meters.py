"""Counts what a daemon does between two requests: instructions, system calls, page faults, bytes of files."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from support.daemon import BINARY, Daemon
from support.wire import Answer, raw_answer

#: Kinds of system calls. Calls of no kind are counted as "other"; reading the clock is one on some machines only.
CALLS = {
    "futex": "futex",
    "wait": "epoll_wait epoll_pwait epoll_ctl",
    "wake": "read write",
    "receive": "recvfrom recvmsg",
    "send": "sendto sendmsg writev sendfile",
    "file write": "pwritev pwritev2 pwrite64",
    "file sync": "fdatasync fsync sync_file_range",
    "file read": "pread64 preadv",
    "file names": "openat newfstatat statx rename renameat2 unlink unlinkat close getdents64 ftruncate fallocate",
    "memory": "mmap munmap mremap madvise brk mprotect",
}
KIND = {call: kind for kind, calls in CALLS.items() for call in calls.split()}


class Caller:
    """One kept connection, on which a request is one write: how it is split into packets does not vary."""

    def __init__(self, daemon: Daemon) -> None:
        self.socket = socket.create_connection((daemon.host, daemon.port), timeout=90)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(
        self, method: str, target: str, body: bytes = b"", kind: str = "application/json", **headers: object
    ) -> None:
        """Sends a request and reads nothing; `X_Name=value` sets a header."""
        fields = {"Host": "localhost", "Content-Length": len(body), "Content-Type": kind, **headers}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)

    def answer(self) -> Answer:
        """Reads an answer."""
        return raw_answer(self.socket)

    def __call__(self, method: str, target: str, body: bytes = b"", kind: str = "application/json") -> None:
        """Sends a request that must succeed."""
        self.send(method, target, body, kind)
        self.answer().expect(200)


def wrapped(place: Path, command: str, *arguments: str) -> Daemon:
    """A daemon that a tool runs: the tool becomes the process, or attaches to it, so that signals reach the daemon."""
    wrapper = place / "wrapped"
    wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    wrapper.chmod(0o700)
    return Daemon("--log-level", "error", *arguments, data_dir=place / "data", binary=wrapper)


class Instructions:
    """The instructions of all threads, as valgrind counts them; it offers the program AVX2, and no later set."""

    TOOLS = ("valgrind", "vgdb", "strip")

    def __init__(self, place: Path, *arguments: str) -> None:
        # valgrind reads debugging information of its own age only, and stops at that of newer compilers.
        subprocess.run(["strip", "--strip-debug", "-o", place / "paramd", BINARY], check=True)
        self.output, self.prefix, self.number = place / "counts", f"--vgdb-prefix={place}/vgdb", 0
        options = f"-q --tool=callgrind --vgdb=yes {self.prefix} --callgrind-out-file={self.output}"
        self.daemon = wrapped(place, f"valgrind {options} {place}/paramd", *arguments)

    def since(self) -> int:
        """The instructions since the last question, or since the start."""
        self.number += 1
        ask = ["vgdb", self.prefix, f"--pid={self.daemon.process.pid}", "dump"]
        subprocess.run(ask, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        text = Path(f"{self.output}.{self.number}").read_text()
        return int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[1])


class SystemCalls:
    """The system calls of all threads, as strace prints them; requests that it prints too divide its output."""

    TOOLS = ("strace",)

    def __init__(self, place: Path, *arguments: str) -> None:
        self.trace, self.number = place / "trace", 0
        options = f"-f -D -qq -s 32 -o {self.trace} -e trace=!clock_gettime"
        self.daemon = wrapped(place, f"strace {options} {BINARY}", *arguments)

    def calls(self, caller: Caller, action: Callable[[], None]) -> Mapping[str, int]:
        """The calls of an action, by kind."""
        start = self._mark(caller)
        action()
        end = self._mark(caller)
        text = self.trace.read_text()
        names = re.findall(r"^\d+ +(\w+)\(", text[text.index(start) : text.index(end)], re.MULTILINE)
        found = Counter(KIND.get(name, "other") for name in names)
        return {kind: found[kind] for kind in (*CALLS, "other")}

    def _mark(self, caller: Caller) -> str:
        """Asks for a path that does not exist, which strace prints."""
        self.number += 1
        path = f"/mark-{self.number}-"
        caller.send("GET", path)
        caller.answer()
        return path


def counters(daemon: Daemon) -> Mapping[str, int]:
    """What the kernel counts of a process: page faults, and bytes that calls read from files and wrote to them."""
    process = Path(f"/proc/{daemon.process.pid}")
    numbers = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    faults = process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[7]
    return {"page faults": int(faults), "bytes read": int(numbers["rchar"]), "bytes written": int(numbers["wchar"])}


def missing(*tools: str) -> list[str]:
    """Those of the tools that are not installed."""
    return [tool for tool in tools if not shutil.which(tool)]


def has_avx2() -> bool:
    """Whether valgrind offers AVX2 here."""
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        return " avx2 " in flags and " fma " in flags
    return False
