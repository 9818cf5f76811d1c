"""Addresses: users and passwords in them, certificates, and what is said of either."""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paramd import Client, Unreachable

#: A certificate for localhost, made for these tests alone, and its key.
CERTIFICATE = Path(__file__).with_name("localhost.pem")


class _Version(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version":"1"}')

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def encrypted() -> Iterator[int]:
    """The port of a server that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Version) as server:
        server.handle_error = lambda *_: None  # a client that ends the handshake
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_certificate_of_an_authority_of_ones_own(encrypted: int) -> None:
    """Trusted by its file."""
    assert Client(f"https://localhost:{encrypted}", cafile=CERTIFICATE).version() == {"version": "1"}


def test_certificate_that_is_not_trusted(encrypted: int) -> None:
    """The remedy is a file, and not plain text."""
    with pytest.raises(Unreachable, match=r"not trusted.*cafile") as raised:
        Client(f"https://localhost:{encrypted}").version()
    assert "http://" not in str(raised.value)


def test_certificate_for_another_name(encrypted: int) -> None:
    """The remedy is the name."""
    with pytest.raises(Unreachable, match="name that its certificate is for"):
        Client(f"https://127.0.0.1:{encrypted}", cafile=CERTIFICATE).version()


@pytest.mark.parametrize("cafile", ["/nowhere.pem", __file__])
def test_no_certificate(cafile: str) -> None:
    """Named at once."""
    with pytest.raises(ValueError, match=cafile):
        Client("https://localhost:1", cafile=cafile)


def test_certificate_without_encryption() -> None:
    """A contradiction."""
    with pytest.raises(ValueError, match="https://"):
        Client("http://localhost:1", cafile=CERTIFICATE)


def test_user_and_password_are_sent(scripted: Callable) -> None:
    """As a proxy wants them; they are not shown."""
    server = scripted(lambda _: b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}")
    client = Client(server.url.replace("//", "//ann:p%40ss@"))
    client.version()
    assert b"Authorization: Basic " + base64.b64encode(b"ann:p@ss") in server.requests[0]
    assert "ss@" not in repr(client)


def test_user_and_token() -> None:
    """Only one of them can be sent."""
    with pytest.raises(ValueError, match="leave one of them out") as raised:
        Client("http://ann:secret@localhost:1", token="t")
    assert "secret" not in str(raised.value)


def test_password_of_a_wrong_address_is_not_told() -> None:
    """Error messages end in logs."""
    with pytest.raises(ValueError, match="address") as raised:
        Client("ftp://ann:secret@localhost")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://[::1]:7", "localhost:7", "https://x.example/paramd/"])
def test_addresses_are_shown(url: str) -> None:
    """As one would write them."""
    shown = {"localhost:7": "http://localhost:7", "https://x.example/paramd/": "https://x.example:443/paramd"}
    assert repr(Client(url)) == f"Client('{shown.get(url, url)}')"
