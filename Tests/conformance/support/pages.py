"""A test's own site and a real browser that opens its page; both end with the test."""

from __future__ import annotations

import contextlib
import http.server
import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

#: The only names that the browser resolves, so that no request leaves this machine.
RULES = "MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


class Site:
    """Serves one page at `/page`, redirects `/away` to a target, and takes what the page reports at `/report`."""

    def __init__(self, page: str, away: str) -> None:
        self.reports: queue.Queue[Any] = queue.Queue()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(page, away, self.reports))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()


def _handler(page: str, away: str, reports: queue.Queue[Any]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, page.encode() if self.path == "/page" else b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/report":
                reports.put(json.loads(body))
            self._answer(*((307, b"") if self.path == "/away" else (200, b"")))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if status == 307:
                self.send_header("Location", away)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    return Handler


@contextlib.contextmanager
def browser(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs Chromium without a window on one page, with a temporary profile."""
    switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with tempfile.TemporaryDirectory(prefix="paramd-browser-", ignore_cleanup_errors=True) as profile:
        command = ["chromium", *switches, *quiet, f"--user-data-dir={profile}", f"--host-resolver-rules={RULES}", url]
        null = subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)
