"""Requests that a page of another site can make a browser send, and bodies where none is expected."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable

import pytest
from support.daemon import Daemon
from support.wire import Api, raw_answer, raw_socket

FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
#: Endpoints that expect no body.
BARE = [("POST", "/checkpoints"), ("POST", "/checkpoints/1/restore"), ("DELETE", "")]
#: Endpoints that read a body.
READING = [("PUT", ""), ("PATCH", ""), ("POST", "/gradients"), ("PUT", "/parameters"), ("POST", "/rollback")]


@pytest.mark.parametrize("content_type", FORMS)
@pytest.mark.parametrize(("method", "path"), BARE + READING)
@pytest.mark.parametrize("body", [b"", b"a=b"])
def test_forms_are_refused(api: Api, demo: str, method: str, path: str, content_type: str, body: bytes) -> None:
    """Forms are 415 everywhere, with or without fields."""
    api(method, f"/v1/models/{demo}{path}", body, Content_Type=content_type).expect(415)
    page = api.get(f"/v1/models/{demo}").json()
    assert (page["version"], api.get(f"/v1/models/{demo}/workers").json()) == (1, {"workers": []})
    assert api.get(f"/v1/models/{demo}/checkpoints").json()["checkpoints"] == []


@pytest.mark.parametrize(("method", "path"), BARE)
def test_bodies_that_nobody_wants(api: Api, demo: str, method: str, path: str) -> None:
    """A malformed body is 400, a field is 422, and neither has an effect."""
    target = f"/v1/models/{demo}{path}"
    api(method, target, b'{"step":', Content_Type="application/json").expect(400)
    problem = api(method, target, {"ttl": 30}).expect(422).json()
    assert problem["errors"][0]["pointer"] == "/ttl"
    api(method, target, []).expect(422)
    assert api.get(f"/v1/models/{demo}").json()["version"] == 1


@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_empty_bodies(api: Api, demo: str, body: bytes | None) -> None:
    """An empty object has no effect; neither has an empty body, with or without a length or a type."""
    typed = {} if body is None else {"Content_Type": "application/json"}
    api("PUT", f"/v1/models/{demo}/workers/w1", body, **typed).expect(200)
    with raw_socket(api) as connection:
        connection.sendall(f"PUT /v1/models/{demo}/workers/w2 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        raw_answer(connection).expect(200)
    api("DELETE", f"/v1/models/{demo}", body, **typed).expect(204)


@pytest.mark.parametrize(("method", "path"), BARE + READING)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_cannot_write(api: Api, demo: str, method: str, path: str, site: str) -> None:
    """The write is 403 with a reason, and the model is unchanged."""
    problem = api(method, f"/v1/models/{demo}{path}", {}, Sec_Fetch_Site=site).expect(403).json()
    assert problem["type"] == "/problems/cross-site" and site in problem["detail"]
    assert api.get(f"/v1/models/{demo}").json()["version"] == 1


FOREIGN = (
    "http://evil.example",
    "http://localhost:1",
    "null",
    "",
    "http://",
    "{host}",
    "http://{host}.evil.example",
    "http://user@{host}",
)


@pytest.mark.parametrize(("method", "path"), BARE + READING)
@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_origins_cannot_write(api: Api, demo: str, method: str, path: str, origin: str) -> None:
    """Browsers send the origin of every write, even where they send no `Sec-Fetch-Site`."""
    headers = {"Origin": origin.format(host=f"{api.host}:{api.port}")}
    problem = api(method, f"/v1/models/{demo}{path}", {}, **headers).expect(403).json()
    assert problem["type"] == "/problems/cross-site" and "--allow-host" in problem["detail"]
    assert api.get(f"/v1/models/{demo}").json()["version"] == 1


def test_pages_of_allowed_hosts_write(start: Callable[..., Daemon]) -> None:
    """A dashboard behind a proxy may use another name."""
    daemon = start("--allow-host", "dash.example", "--allow-host", "*.example.org")
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": {"w": [0]}})
    for origin in ("https://dash.example", "http://dash.example:3000", "https://a.example.org"):
        api("POST", "/v1/models/m/gradients", {"gradients": {"w": [1]}}, Origin=origin).expect(200)
    for origin in ("https://dash.example.evil", "https://example.org"):
        api("POST", "/v1/models/m/gradients", {"gradients": {"w": [1]}}, Origin=origin).expect(403)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("{host}", "http://{host}"),
        ("localhost", "http://localhost"),
        ("LOCALHOST:80", "http://localhost"),
        ("localhost:443", "https://localhost"),
        ("localhost", "https://LOCALHOST:443"),
        ("[::1]:7", "http://[::1]:7"),
    ],
)
def test_pages_of_the_host_that_is_asked_write(api: Api, demo: str, host: str, origin: str) -> None:
    """Pages of the requested host may write, whatever the case, the default port and the proxy's scheme."""
    address = f"{api.host}:{api.port}"
    headers = {"Host": host.format(host=address), "Origin": origin.format(host=address)}
    api("POST", f"/v1/models/{demo}/gradients", {"gradients": {"w": [1, 1]}}, **headers).expect(200)


def test_own_pages_write_and_all_pages_read(api: Api, demo: str) -> None:
    """The dashboard comes from the same address; a link to a GET is harmless."""
    body = {"gradients": {"w": [1, 1]}}
    for site in ("same-origin", "none"):
        api("POST", f"/v1/models/{demo}/gradients", body, Sec_Fetch_Site=site).expect(200)
    api.get(f"/v1/models/{demo}", Sec_Fetch_Site="cross-site")
    api("OPTIONS", f"/v1/models/{demo}", Sec_Fetch_Site="cross-site").expect(204)


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("POST", "/gradients"), ("PUT", "?replace=1")])
def test_the_line_for_curl_works(api: Api, demo: str, method: str, path: str) -> None:
    """Pasted into a shell, the line uses the same address and method, with the type that was missing."""
    answer = api(method, f"/v1/models/{demo}{path}", b"", Content_Type=FORMS[0]).expect(415)
    line = shlex.split(answer.json()["detail"].split("With curl: ")[1])
    assert line[0] == "curl" and line[-1] == f"http://{api.host}:{api.port}/v1/models/{demo}{path}"
    line = [word.replace("{...}", '{"learning_rate":"x"}') for word in line]
    ended = subprocess.run([*line, "-s", "-w", "%{http_code} %{method}"], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == f"422 {method}"
