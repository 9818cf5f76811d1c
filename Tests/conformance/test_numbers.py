"""Numbers in headers, queries and paths are digits: other notations of lenient parsers are refused or ignored."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from support.wire import Api, raw_answer, raw_socket

#: Notations that number parsers of Swift, C or Python accept, percent-encoded.
LENIENT = [
    "%2B1",
    "+1",
    "1+",
    "%091",
    "-0",
    "0x1",
    "1e0",
    "1.0",
    "1_000",
    "%EF%BC%91",
    "%D9%A1",
    "1%E2%83%A3",
    "nan",
    "9" * 30,
]


@pytest.mark.parametrize("text", LENIENT)
def test_queries(api: Api, demo: str, text: str) -> None:
    """Each is refused with the argument's name; the plain digits are accepted."""
    for target in (
        "parameters?since=", "parameters?wait=0&min_step=", "lr?step=", "weight_decay?step=", "lr?to=9&every=3&from=",
        "lr?from=0&every=1&to=", "pushes/a/1?epoch=", "parameters/w?rows=",
    ):  # fmt: skip
        answer = api("GET", f"/v1/models/{demo}/{target}{text}")
        assert answer.json()["type"] == "/problems/invalid-query", (target, answer.body)


@pytest.mark.parametrize("text", ["%2B1", "-0", "0x1", "1.0", "%EF%BC%91", "9" * 30])
def test_paths(api: Api, demo: str, text: str) -> None:
    """A checkpoint and a push are addressed by digits."""
    api("POST", f"/v1/models/{demo}/checkpoints").expect(201)
    api("GET", f"/v1/models/{demo}/checkpoints/{text}").expect(404)
    api("POST", f"/v1/models/{demo}/checkpoints/{text}/restore").expect(404)
    api("GET", f"/v1/models/{demo}/pushes/a/{text}").expect(404)


def test_a_number_of_models_beyond_all_is_all(api: Api, demo: str) -> None:
    """`page_size` has no upper limit, so a number of any length is valid; a decorated one is refused."""
    assert demo in [m["model"] for m in api.get(f"/v1/models?prefix={demo}&page_size={'9' * 30}").json()["models"]]
    for text in ("%2B1", "0", "-1", "1.0"):
        api("GET", f"/v1/models?page_size={text}").expect(422)


@pytest.fixture
def file(api: Api, demo: str) -> tuple[str, bytes]:
    """The path and the bytes of a checkpoint's file."""
    saved = api("POST", f"/v1/models/{demo}/checkpoints").expect(201).json()["id"]
    target = f"/v1/models/{demo}/checkpoints/{saved}.safetensors"
    return target, api.get(target).body


#: Specifiers of RFC 9110, 14.1.1 and 14.1.2: first and last byte, `-0` after the end.
RANGES = [
    ("bytes=0-7", 0, 8), ("bytes=8-", 8, None), ("bytes=-8", -8, None), ("BYTES=1-2", 1, 3),
    (f"bytes=0-{'9' * 20}", 0, None), (f"bytes=5-{'9' * 40}", 5, None), (f"bytes=-{'9' * 20}", 0, None),
    ("bytes=007-008", 7, 9), ("bytes= 1-2 ", 1, 3),
]  # fmt: skip


@pytest.mark.parametrize(("header", "first", "end"), RANGES)
def test_ranges(api: Api, file: tuple[str, bytes], header: str, first: int, end: int | None) -> None:
    """The answer is 206 with the part, whose end is limited to the file's."""
    target, whole = file
    part = api("GET", target, Range=header).expect(206)
    assert part.body == whole[first:end] and part.body
    start = len(whole) + first if first < 0 else first
    assert part.headers["content-range"] == f"bytes {start}-{start + len(part.body) - 1}/{len(whole)}"


@pytest.mark.parametrize(
    "header",
    [
        "bytes=+1-2", "bytes=1-+2", "bytes=-+2", "bytes=--2", "bytes=1 -2", "bytes=1- 2", "bytes=0x1-0x2",
        "bytes=1_0-20", "bytes=1.0-2", "bytes=-", "bytes=", "bytes", "bytes=5-2", "bytes 1-2", "items=1-2",
        "bytes=a-b", "bytes=1-2-3",
    ],
)  # fmt: skip
def test_what_is_no_range(api: Api, file: tuple[str, bytes], header: str) -> None:
    """The range is ignored, as RFC 9110, 14.2, says, and the answer is the whole file."""
    target, whole = file
    answer = api("GET", target, Range=header).expect(200)
    assert answer.body == whole and "content-range" not in answer.headers


@pytest.mark.parametrize("header", [f"bytes={'9' * 20}-", f"bytes={'9' * 30}-{'9' * 30}", "bytes=-0"])
def test_ranges_outside(api: Api, file: tuple[str, bytes], header: str) -> None:
    """The answer is 416 with the size, however many digits the range has."""
    target, whole = file
    assert api("GET", target, Range=header).expect(416).headers["content-range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize("text", ["+1", "0x1", "1_0"])
def test_tags_are_as_they_were_given(api: Api, name: str, text: str) -> None:
    """A version in another notation does not match the tag."""
    uid = api.create(name, {"optimizer": "sgd", "parameters": {"w": [0]}}).json()["uid"]
    refused = api("PATCH", f"/v1/models/{name}", {"learning_rate": 1}, If_Match=f'"{uid}.{text}.page"')
    refused.expect(412)
    api("GET", f"/v1/models/{name}/parameters?since={uid}-%2B1").expect(422)


@pytest.mark.parametrize("text", ["+30", "0x1e", "3e1", "30 s", "-30", "nan", "inf", '"+30"'])
def test_a_wish_that_cannot_be_read(api: Api, demo: str, text: str) -> None:
    """The pull does not wait, and the answer does not mention a preference."""
    begin = time.monotonic()
    answer = api("GET", f"/v1/models/{demo}/parameters?since=1", Prefer=f"wait={text}").expect(304)
    assert time.monotonic() - begin < 3 and "preference-applied" not in answer.headers
    query = quote(text.strip('"'))
    api("GET", f"/v1/models/{demo}/parameters?since=1&wait={query}").expect(422)


def test_a_wish_of_any_length(api: Api, demo: str) -> None:
    """A wait beyond the limit is shortened in `Prefer`, and refused in the query, which is a command."""
    api.push(demo, {"w": [1, 1]})
    answer = api("GET", f"/v1/models/{demo}/parameters?since=1", Prefer=f"wait={'9' * 30}").expect(200)
    assert answer.headers["preference-applied"] == "wait=300"
    for text in ("9" * 30, "9" * 400, "301", "300001ms"):
        api("GET", f"/v1/models/{demo}/parameters?since=2&wait={text}").expect(422)


@pytest.mark.parametrize("length", ["+2", "0x2", "2.0", "-0", "2, 2", "\uff12", "9" * 30, ""])
def test_lengths(api: Api, demo: str, length: str) -> None:
    """The answer is a problem, never HTML, and the connection ends, because the next request's start is unknown."""
    head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with raw_socket(api) as connection:
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n{{}}".encode())
        answer = raw_answer(connection)
    assert answer.status in (400, 413) and answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("size", ["+2", "0x2", "-2", "2 2", "\uff12", "f" * 30])
def test_sizes_of_chunks(api: Api, demo: str, size: str) -> None:
    """The same applies to the size of a chunk."""
    head = f"POST /v1/models/{demo}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with raw_socket(api) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{size}\r\n{{}}\r\n0\r\n\r\n".encode())
        answer = raw_answer(connection)
    assert answer.status in (400, 413) and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("line", ["GET", "GET\r\nHost: localhost", " / HTTP/1.1\r\nHost: localhost", " "])
def test_a_line_without_a_target(api: Api, line: str) -> None:
    """The connection ends cleanly, without a page that no client requested."""
    with raw_socket(api) as connection:
        connection.sendall(f"{line}\r\n\r\n".encode())
        assert connection.recv(1000) == b""


@pytest.mark.parametrize("authority", ["a@localhost", "", "[::1", "localhost:+80", "localhost:0x50", "a b"])
def test_the_host_of_a_target(api: Api, authority: str) -> None:
    """The problem names the target, not the Host header, which is right."""
    with raw_socket(api) as connection:
        connection.sendall(f"GET http://{authority}/livez HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        problem = raw_answer(connection).expect(400).json()
    assert "target" in problem["detail"] and "Host header" not in problem["detail"]
