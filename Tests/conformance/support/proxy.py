"""A real nginx with the configuration of `deploy/nginx`, as an ordinary process with files of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .daemon import REPOSITORY

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONFIGURATION = REPOSITORY / "deploy/nginx/paramd.conf"
#: What every nginx needs around a server; a worker of root keeps root's rights, because the files belong to the test.
AROUND = """
daemon off;
worker_processes 2;
pid {place}/pid;
error_log stderr warn;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log {place}/access.log;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    include {place}/paramd.conf;
}}
"""


class Proxy:
    """A running nginx in front of the daemon on a port; the context manager ends it."""

    def __init__(self, place: Path, daemon_port: int) -> None:
        self.host, self.port = "127.0.0.1", _free_port()
        text = CONFIGURATION.read_text()
        for written, here in {
            "127.0.0.1:8470": f"127.0.0.1:{daemon_port}",
            "listen 80;": f"listen {self.host}:{self.port};",
            "/var/cache/nginx/paramd": f"{place}/cache",
            "server_name params.example.org;": "server_name params.example.org 127.0.0.1;",
        }.items():
            assert text.count(written) == 1, f"{CONFIGURATION.name} has `{written}` {text.count(written)} times"
            text = text.replace(written, here)
        (place / "paramd.conf").write_text(text)
        user = "user root;" if os.getuid() == 0 else ""
        (place / "nginx.conf").write_text(AROUND.format(place=place, user=user))
        command = [NGINX, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._wait_until_listening()

    def _wait_until_listening(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                return socket.create_connection((self.host, self.port), timeout=60).close()
            except ConnectionRefusedError:
                assert self.process.poll() is None, "nginx has ended; its messages are above"
                assert time.monotonic() < until, "nginx does not listen"
                time.sleep(0.02)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
