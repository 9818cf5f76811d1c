"""Basic behavior of HTTP: probes, methods, types, framing, problem documents."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time

import pytest
from support.wire import Answer, Api, raw_answer, raw_socket


def problem(answer: Answer, status: int) -> dict[str, object]:
    """Checks the members that every problem document has."""
    body = answer.expect(status).json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert body["status"] == status
    assert body["type"].startswith("/problems/") and body["title"] and body["detail"]
    return body


@pytest.mark.parametrize("target", ["/livez", "/readyz", "/version", "/openapi.json"])
def test_probes(api: Api, target: str) -> None:
    """Probes answer 200 to anyone."""
    api.get(target)


def test_root_is_a_guide_for_curl(api: Api) -> None:
    """The commands work when pasted; a browser gets a page."""
    guide = api.get("/", User_Agent="curl/7.88.1", Accept="*/*")
    assert guide.headers["content-type"].startswith("text/plain")
    assert b"curl" in guide.body
    page = api.get("/", Accept="text/html,application/xhtml+xml")
    assert page.headers["content-type"].startswith("text/html")


def test_guide_can_be_pasted_from_top_to_bottom(api: Api) -> None:
    """It works twice in a row, and no line hangs or prints nothing."""
    commands = re.findall(r"^  (curl .*)$", api.get("/", User_Agent="curl/7.88.1").body.decode(), re.MULTILINE)
    assert len(commands) == 6
    began = time.monotonic()
    for command in commands * 2:
        line = command.replace("curl", "curl -sS --fail", 1)
        assert subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=60).stdout, command
    assert time.monotonic() - began < 30


def test_kept_versions_are_told_right(api: Api) -> None:
    """The help page of 410 shows the number of kept versions."""
    assert b"4 unless" in api.get("/problems/gone").body


def test_problem_pages(api: Api) -> None:
    """The daemon serves the `type` of a problem itself."""
    slug = problem(api("GET", "/v1/models/unknown"), 404)["type"]
    assert api.get(str(slug)).body


def test_problem_pages_for_browsers(api: Api) -> None:
    """The page is HTML where the client asks for it; the contract's own example is a page."""
    parameter = api.get("/openapi.json").json()["paths"]["/problems/{slug}"]["parameters"][0]
    for slug in ["not-found", *parameter["schema"]["examples"]]:
        page = api.get(f"/problems/{slug}", Accept="text/html,*/*;q=0.8")
        assert page.headers["content-type"].startswith("text/html") and page.body.startswith(b"<!doctype html>")
        assert api.get(f"/problems/{slug}").headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("target", ["/nowhere", "/v1", "/v1/models/x/nothing", "/v1/models/x/", "//", "/v2/models"])
def test_unknown_paths(api: Api, target: str) -> None:
    """An unknown path is 404 as a problem document."""
    problem(api("GET", target), 404)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("/v1/models/x/", "/v1/models/x"),
        ("/v1/models/x/lr/", "/v1/models/x/lr"),
        ("/v1/models//x", "/v1/models/x"),
        ("/models/x/parameters", "/v1/models/x/parameters"),
        ("/v1/model", "/v1/models"),
        ("/v1/models/x/gradient?pull=1", "/v1/models/x/gradients"),
        ("/v1/models/a%20b/paramters.safetensors", "/v1/models/a%20b/parameters.safetensors"),
        ("/v1/models/x/lr.svgg", "/v1/models/x/lr.svg"),
        ("/openapi.yaml", "/openapi.json"),
        ("/health", "/healthz"),
    ],
)
def test_nearest_path(api: Api, target: str, meant: str) -> None:
    """After an extra slash, a missing prefix or a typing error, the answer suggests the path, ready to be pasted."""
    assert str(problem(api("GET", target), 404)["detail"]).endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    "target", ["/favicon.ico", "/v1/models/x/nothing", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n", "/a" * 4000]
)
def test_no_path_is_near(api: Api, target: str) -> None:
    """The answer says where all paths are listed."""
    assert "GET /openapi.json lists every path" in str(problem(api("GET", target), 404)["detail"])


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("DELETE", "/livez", {"GET", "HEAD"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("POST", "/v1/models/x", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("GET", "/v1/models/x/gradients", {"POST"}),
        ("DELETE", "/v1/models/x/parameters", {"GET", "HEAD", "PUT"}),
    ],
)
def test_wrong_method(api: Api, method: str, target: str, allowed: set[str]) -> None:
    """The answer is 405 with the allowed methods, whether the model exists or not."""
    answer = api(method, target)
    problem(answer, 405)
    assert allowed <= {each.strip() for each in answer.headers["allow"].split(",")}


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
def test_wrong_type(api: Api, demo: str, content_type: str) -> None:
    """The answer is 415 with the `curl --json` line, because plain `curl -d` sends a form type."""
    answer = api("POST", f"/v1/models/{demo}/gradients", b'{"gradients":{"w":[1,1]}}', Content_Type=content_type)
    detail = str(problem(answer, 415)["detail"])
    assert "curl --json" in detail and "-H 'Content-Type: application/json' -d" in detail


PUSHES = {
    "no length": ("", {}, 411, "Content-Length"),
    "too long": ("", {"Content_Length": str(10**9)}, 413, "split the push"),
    "form": ("", {"Content_Type": "text/plain"}, 415, "curl --json"),
    "zipped": ("", {"Content_Encoding": "gzip"}, 415, "gzip"),
    "other host": ("", {"Host": "evil.example"}, 421, "--allow-host evil.example"),
    "query": ("?pul=1", {}, 422, "`pul`"),
    "no JSON": ("", {}, 400, "line 1"),
    "method": ("/x", {}, 404, "/x does not exist; "),
}


@pytest.mark.parametrize("kind", PUSHES)
def test_refused_push_says_that_nothing_was_applied(api: Api, demo: str, kind: str) -> None:
    """Whatever is wrong, the answer says what to change, and that the push had no effect."""
    query, headers, status, words = PUSHES[kind]
    headers = {"Host": "localhost", "Content-Length": "1", **{k.replace("_", "-"): v for k, v in headers.items()}}
    if status == 411:
        del headers["Content-Length"]
    head = f"POST /v1/models/{demo}/gradients{query} HTTP/1.1\r\n"
    with raw_socket(api) as connection:
        connection.sendall((head + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n}").encode())
        detail = str(problem(raw_answer(connection), status)["detail"])
    assert words in detail and detail.count("othing was applied") == 1, detail


def test_document_too_long(api: Api) -> None:
    """The answer names the limit for bodies with rates; definitions and pushes have other limits."""
    head = f"POST /v1/lr_preview HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**9}\r\n\r\n"
    with raw_socket(api) as connection:
        connection.sendall(head.encode())
        detail = str(problem(raw_answer(connection), 413)["detail"])
    assert "json-rates" in detail and "67108864" in detail


def test_question_says_nothing_of_changes(api: Api) -> None:
    """A failed GET does not say that nothing was applied."""
    assert "applied" not in str(problem(api("GET", "/v1/models/unknown/lr?x=1"), 422)["detail"])


def test_content_encoding_is_refused(api: Api, demo: str) -> None:
    """The server refuses compressed bodies."""
    answer = api(
        "POST", f"/v1/models/{demo}/gradients", b"{}", Content_Type="application/json", Content_Encoding="gzip"
    )
    problem(answer, 415)


def test_body_without_a_type_is_json(api: Api, demo: str) -> None:
    """The server reads a body without a type as JSON, which is the most likely type."""
    with raw_socket(api) as connection:
        body = b'{"gradients":{"w":[1,1]}}'
        head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        raw_answer(connection).expect(200)


def test_chunked_body(api: Api, demo: str) -> None:
    """A chunked body is accepted in chunks of any size; the connection closes after it."""
    body = b'{"gradients":{"w":[1,1]}}'
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_socket(api) as connection:
        connection.sendall(head.encode() + chunks)
        assert raw_answer(connection).expect(200).headers["connection"] == "close"
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 411),
        ("Transfer-Encoding: gzip\r\n", 501),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: xchunked\r\n", 501),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 400),
        ("Content-Length: 2\r\nContent-Length: 44\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: 2x\r\n", 400),
    ],
)
def test_framing(api: Api, demo: str, headers: str, status: int) -> None:
    """Ambiguous framing is refused from the head alone; if a body may follow, the connection closes."""
    with raw_socket(api) as connection:
        head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        connection.sendall(head.encode())
        answer = raw_answer(connection).expect(status)
        assert status == 411 or answer.headers.get("connection", "").lower() == "close"


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("localhost:1", 200), ("127.0.0.1", 200)])
def test_host(api: Api, host: str, status: int) -> None:
    """A foreign Host means DNS rebinding or a wrong proxy; the check compares only its name."""
    with raw_socket(api) as connection:
        connection.sendall(f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        raw_answer(connection).expect(status)


@pytest.mark.parametrize("target", ["/livez", "/healthz", "/readyz", "/version"])
@pytest.mark.parametrize("host", ["10.1.2.3:8470", "up", "evil.example", ""])
def test_probes_whatever_the_host(api: Api, target: str, host: str) -> None:
    """A supervisor uses whatever address the daemon has; a probe contains no secrets."""
    api.get(target, Host=host)


@pytest.mark.parametrize(
    ("request_line", "fields", "status"),
    [
        ("GET http://{host}/v1/models HTTP/1.1", "Host: {host}", 200),
        ("GET HTTP://localhost HTTP/1.1", "Host: elsewhere.example", 200),
        ("GET http://evil.example/v1/models HTTP/1.1", "Host: localhost", 421),
        ("GET /v1/models HTTP/1.0", "X: y", 200),
        ("GET http://{host}/v1/models HTTP/1.0", "X: y", 200),
        ("GET /v1/models HTTP/1.0", "Host: evil.example", 421),
        ("GET /v1/models HTTP/1.1", "X: y", 400),
        ("OPTIONS * HTTP/1.1", "Host: localhost", 204),
        ("GET * HTTP/1.1", "Host: localhost", 400),
    ],
)
def test_forms_of_a_request(api: Api, request_line: str, fields: str, status: int) -> None:
    """Absolute targets, `OPTIONS *` and HTTP/1.0 without Host work: RFC 9112, sections 3.2 and 3.2.2."""
    with raw_socket(api) as connection:
        head = f"{request_line}\r\n{fields}\r\n\r\n".format(host=f"{api.host}:{api.port}")
        connection.sendall(head.encode())
        answer = raw_answer(connection).expect(status)
    if status == 204:
        assert {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"} == set(answer.headers["allow"].split(", "))


UNREADABLE = {
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /livez\r\n\r\n", 400),
    "no colon": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
    "length": (b"POST /v1/lr_preview HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
    "chunk": (b"POST /v1/lr_preview HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "head": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "target": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
}


@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_gets_a_problem(api: Api, kind: str, before: bytes) -> None:
    """The answer is never a page of the library's own, even after a valid request."""
    request, status = UNREADABLE[kind]
    with raw_socket(api) as connection:
        if before:
            connection.sendall(before)
            raw_answer(connection).expect(200)
        connection.sendall(request)
        problem(raw_answer(connection), status)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("target", ["/livez", "/v1/models/{demo}/parameters?since=1&wait=1s"])
def test_half_closed(api: Api, demo: str, target: str) -> None:
    """A client that closes its side is answered, and its connection closes long before an idle one does."""
    with raw_socket(api) as connection:
        connection.settimeout(30)
        connection.sendall(f"GET {target.format(demo=demo)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(4096):
            received += piece
    assert received.startswith(b"HTTP/1.1 304" if "wait" in target else b"HTTP/1.1 200")


@pytest.mark.parametrize("idle", [0, 1, 2, 5])
def test_half_closed_after_a_write(api: Api, demo: str, idle: int) -> None:
    """Every write is answered, whatever other connections there are."""
    body = b'{"gradients":{"w":[1,1]}}'
    head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(idle):
            other = stack.enter_context(contextlib.closing(Api(api.host, api.port)))
            other.get("/livez")
        for step in range(1, 21):
            with raw_socket(api) as connection:
                connection.sendall(head.encode() + body)
                connection.shutdown(socket.SHUT_WR)
                assert raw_answer(connection).expect(200).json()["step"] == step


def test_slow_body(api: Api, demo: str) -> None:
    """A push that takes 8 s at 30 KB/s comes over a slow link and is not an attack."""
    body = b'{"gradients":{"w":[1,1]}}'.ljust(240_000)
    head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with raw_socket(api) as connection:
        connection.sendall(head.encode())
        for start in range(0, len(body), 3_000):
            connection.sendall(body[start : start + 3_000])
            time.sleep(0.1)
        raw_answer(connection).expect(200)


@pytest.mark.heavy
def test_gap_in_a_body(api: Api, demo: str) -> None:
    """A body at a few KB/s may pause for 10 s, which is longer than the period over which the rate is measured."""
    window = api.get("/v1/server").json()["limits"]["rate-window"]["value"]
    seconds, gap = int(window.removesuffix("s")) + 4, 10
    body = b'{"gradients":{"w":[1,1]}}'.ljust(4_000 * (seconds - gap))
    head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with raw_socket(api) as connection:
        connection.sendall(head.encode())
        for start in range(0, len(body), 4_000):
            connection.sendall(body[start : start + 4_000])
            time.sleep(1 + gap * (start == 40_000))
        raw_answer(connection).expect(200)


@pytest.fixture
def checkpoint(api: Api, demo: str) -> str:
    """The address of a checkpoint's file."""
    number = api("POST", f"/v1/models/{demo}/checkpoints").expect(201).json()["id"]
    return f"/v1/models/{demo}/checkpoints/{number}.safetensors"


def test_head_knows_no_range(api: Api, checkpoint: str) -> None:
    """RFC 9110, section 14.2: a range has a meaning only in a GET."""
    size = len(api.get(checkpoint).body)
    part = api("GET", checkpoint, Range="bytes=0-7").expect(206)
    assert part.headers["content-range"] == f"bytes 0-7/{size}" and len(part.body) == 8
    whole = api("HEAD", checkpoint, Range="bytes=0-7").expect(200)
    assert whole.headers["content-length"] == str(size) and "content-range" not in whole.headers


def test_range_beyond_the_end_names_the_size(api: Api, checkpoint: str) -> None:
    """RFC 9110, section 15.5.17: a client that resumes a download learns that it is complete."""
    size = len(api.get(checkpoint).body)
    answer = api("GET", checkpoint, Range=f"bytes={size}-")
    problem(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_too_large_is_answered_before_the_body_is_read(api: Api, demo: str) -> None:
    """A length of a terabyte is 413 before the client has sent a byte of the body."""
    with raw_socket(api) as connection:
        head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n"
        connection.sendall(head.encode())
        answer = raw_answer(connection)
    problem(answer, 413)


def test_keep_alive(api: Api, demo: str) -> None:
    """One connection serves many requests, even after a refused body."""
    for _ in range(3):
        api.get("/livez")
        api.push(demo, {"w": [1]}, 422)
        api.push(demo, {"w": [1, 1]})
        assert api._connection is not None


def test_answers_are_whole_json_lines(api: Api, demo: str) -> None:
    """JSON answers, problems included, end in a newline."""
    for target in ("/version", f"/v1/models/{demo}", "/v1/models/unknown"):
        answer = api("GET", target)
        assert answer.body.endswith(b"\n")
        json.loads(answer.body)


def test_contract_is_valid_json_and_names_the_routes(api: Api) -> None:
    """The daemon serves its own contract."""
    contract = api.get("/openapi.json").json()
    assert contract["openapi"].startswith("3.1")
    assert "/v1/models/{model}/gradients" in contract["paths"]
