"""A real paramd process on a free loopback port: starts it, reads its listening line, ends it by its process id."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("PARAMD_BIN", REPOSITORY / ".build/debug/paramd"))
LISTENING = re.compile(r"listening on http://(?P<host>[^:]+):(?P<port>\d+)$")


class Daemon:
    """A running paramd; the context manager stops it at the end."""

    def __init__(
        self, *arguments: str, data_dir: str | Path | None = None, binary: Path = BINARY, port: int = 0
    ) -> None:
        self._own_dir = None if data_dir else tempfile.TemporaryDirectory(prefix="paramd-test-")
        self.data_dir = Path(data_dir or self._own_dir.name)
        places = ("--listen", f"127.0.0.1:{port}", "--data-dir", str(self.data_dir))
        self.process = launch(*places, *arguments, binary=binary)
        self.host, self.port = self._address()

    def _address(self) -> tuple[str, int]:
        line = read_line(self.process, within=30)
        match = LISTENING.match(line)
        if not match:
            self.stop()
            raise AssertionError(f"the first line on standard output was {line!r}")
        return match["host"], int(match["port"])

    @property
    def url(self) -> str:
        """The daemon's address in the form that the client package expects."""
        return f"http://{self.host}:{self.port}"

    def signal(self, number: int) -> None:
        """Sends one signal to this process only."""
        self.process.send_signal(number)

    def wait(self, within: float = 20) -> int:
        """Waits and returns the exit code; a daemon that does not end in time is killed and fails the test."""
        try:
            return self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"paramd had not ended {within} s after it was asked to") from None

    def stop(self) -> int:
        """Asks for a drain with SIGTERM and returns the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait()
        if self._own_dir:
            self._own_dir.cleanup()
        return code

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def launch(*arguments: str, binary: Path = BINARY) -> subprocess.Popen[bytes]:
    """Starts paramd with these arguments; its log goes to the test's own standard error."""
    environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
    return subprocess.Popen(
        [str(binary), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment
    )


def read_line(process: subprocess.Popen[bytes], within: float) -> str:
    """Reads one line of standard output, or what arrived before the deadline or the end of the process."""
    text, until = b"", time.monotonic() + within
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, until - time.monotonic()))
        byte = os.read(process.stdout.fileno(), 1) if ready else b""
        if not byte:
            break
        text += byte
    return text.decode().rstrip("\n")
