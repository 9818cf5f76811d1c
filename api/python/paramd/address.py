"""The address of a server from a URL, and connections to it."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit


@dataclass(frozen=True)
class Address:
    """Host, port, the path prefix of every target, and user and password for a proxy as a header's value."""

    host: str
    port: int
    prefix: str
    context: ssl.SSLContext | None
    basic: str | None = field(repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.context else 'http'}://{host}:{self.port}{self.prefix}"

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """A new connection, not yet open."""
        if self.context:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.context)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)


def address(url: str, cafile: str | os.PathLike[str] | None) -> Address:
    """Parses a URL; ValueError if it is not the address of a server."""
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except (ValueError, TypeError):
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        shown = url.rpartition("@")[2] if isinstance(url, str) else url
        raise ValueError(f"{shown!r} is not the address of a server; use one such as http://127.0.0.1:8470")
    is_secure = parts.scheme == "https"
    if cafile is not None and not is_secure:
        raise ValueError(f"cafile needs https://, but the address is http://{host}; use https:// or leave cafile out")
    context = _context(cafile) if is_secure else None
    basic = _basic(parts.username, parts.password) if parts.username is not None else None
    return Address(host, port or (443 if is_secure else 80), parts.path.rstrip("/"), context, basic)


def _context(cafile: str | os.PathLike[str] | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:
        raise ValueError(f"cafile {os.fspath(cafile or '')!r} is not a file of PEM certificates: {error}") from None


def _basic(user: str, password: str | None) -> str:
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password or "")
    return "Basic " + base64.b64encode(pair).decode()
