"""Requests broken at one of their levels: bytes, head, target, JSON, safetensors."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace

from support.contract import OPERATIONS, query_arguments

from . import documents
from .corpus import Case

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "P\x00ST", "A" * 300]
HEADERS = [
    *(
        ("Content-Length", value)
        for value in ("0", "1", "99", "-1", "+1", "1,1", "0x1", "18446744073709551616", "", " 7 ")
    ),
    *(("Transfer-Encoding", value) for value in ("chunked", "identity", "gzip, chunked", "Chunked ", "\tchunked")),
    *(("Expect", value) for value in ("100-continue", "200-ok", "")),
    *(("Host", value) for value in ("evil.example", "", "localhost:99999", "[::1", "localhost\x00.evil", "a b")),
    *(
        ("Content-Type", v)
        for v in ("text/plain", "", "application/json; charset=utf-16", "application/vnd.safetensors", "*/*")
    ),
    *(("If-Match", value) for value in ("*", '"1"', "W/*", '"', "00000000-1", '"a","b"', "")),
    *(("If-None-Match", value) for value in ("*", '"1"', "")),
    *(("Idempotency-Key", value) for value in ("k", "", "a" * 300, "\xff", "a b", '"k"')),
    *(
        ("Range", value)
        for value in ("bytes=0-1", "bytes=-1", "bytes=5-2", "bytes=0-1,3-4", "rows=1", "bytes=99999999999999999999-")
    ),
    *(("Accept", value) for value in ("application/vnd.safetensors", "text/html;q=0", "*", ";;;", "a/b;q=9")),
    *(("Prefer", value) for value in ("wait=1", "wait=-1", "respond-async")),
    *(("Origin", value) for value in ("null", "http://evil.example", "http://localhost")),
    *(("Connection", value) for value in ("close", "keep-alive", "upgrade", "Content-Length")),
    *(
        ("Content-Encoding", "gzip"),
        ("X-Idempotency-Key", "k"),
        ("", "x"),
        ("\x00X", "y"),
        ("a b", "c"),
        ("X" * 9000, "y"),
    ),
    *(("Cookie", "a=b; " * 500), ("X", "y" * 20_000), ("X", "y\r\n z"), ("X", "y\n"), ("X", "\x01"), ("X", "\xff\xfe")),
]
SEGMENTS = [
    *(
        "",
        ".",
        "..",
        "%2e%2e",
        "%00",
        "%",
        "%zz",
        "a%2Fb",
        "m",
        "sparse",
        "w",
        "1",
        "0",
        "-1",
        "99999999999999999999",
        "+1",
    ),
    *(
        "a" * 300,
        "%c3%28",
        "%ff",
        "é",
        "gradients",
        "parameters",
        "checkpoints",
        "restore",
        "state.safetensors",
        "*",
        "lr.svg",
    ),
]
VALUES = [
    *(
        "",
        "0",
        "1",
        "-1",
        "1ms",
        "99999999999999999999",
        "1e3",
        "true",
        "*",
        "**a*b",
        "w",
        "a" * 300,
        "%00",
        "F16",
        "I64",
    ),
    *("w,v", "*,*,*", "NaN", "0.5", "1.5s", "%ff", "00000000-1"),
]
TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b"\r\n\r\n",
    b"\xff",
    b"%",
    b"0\r\n\r\n",
    b"a" * 70_000,
    b"HTTP/1.1",
    b";",
]
QUERIES = sorted({name for method, path in OPERATIONS for name in query_arguments(method, path)})


def mutated(rng: random.Random, case: Case) -> bytes:
    """Makes one to three changes; changes of bytes come last, when the request is serialized."""
    changes: list[Callable[[random.Random, Case], Case]] = [_method, _header, _header, _path, _query]
    if case.body:
        changes += [_body] * 8
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        case = rng.choice(changes)(rng, case)
    wire = case.wire()
    return _scrambled(rng, wire) if rng.random() < 0.2 else wire


def scrambled(rng: random.Random, wire: bytes) -> bytes:
    """Returns a whole request with changed bytes, or unchanged."""
    return _scrambled(rng, wire) if rng.random() < 0.7 else wire


def _method(rng: random.Random, case: Case) -> Case:
    return replace(case, method=rng.choice(METHODS))


def _header(rng: random.Random, case: Case) -> Case:
    headers = list(case.headers)
    if headers and rng.random() < 0.3:
        headers.pop(rng.randrange(len(headers)))
    if rng.random() < 0.8:
        headers.insert(rng.randrange(len(headers) + 1), rng.choice(HEADERS))
    return replace(case, headers=tuple(headers))


def _path(rng: random.Random, case: Case) -> Case:
    path, mark, query = case.target.partition("?")
    parts = path.split("/")
    place = rng.randrange(len(parts))
    kind = rng.randrange(4)
    if kind <= 1:
        parts[place] = rng.choice(SEGMENTS)
    elif kind == 2:
        parts.insert(place, rng.choice(SEGMENTS))
    else:
        del parts[place]
    return replace(case, target="/".join(parts) + mark + query)


def _query(rng: random.Random, case: Case) -> Case:
    mark = "&" if "?" in case.target else "?"
    arguments = [f"{rng.choice(QUERIES)}={rng.choice(VALUES)}" for _ in range(rng.choice((1, 1, 2, 300)))]
    return replace(case, target=case.target + mark + "&".join(arguments))


def _body(rng: random.Random, case: Case) -> Case:
    body = case.body or b""
    if any("safetensors" in value for _, value in case.headers) and len(body) > 8:
        return case.with_body(file(rng, body))
    return case.with_body(documents.mutated(rng, body) if rng.random() < 0.8 else _scrambled(rng, body))


def file(rng: random.Random, body: bytes) -> bytes:
    """Returns a tensor file with another header, other data or another header length."""
    (length,) = struct.unpack("<Q", body[:8])
    header, data = body[8 : 8 + length], body[8 + length :]
    kind = rng.randrange(6)
    if kind <= 2:
        header = documents.mutated(rng, header)
    elif kind == 3:
        data = rng.choice((data[:-1], data + b"\x00", b"", data[: len(data) // 2], _scrambled(rng, data)))
    elif kind == 4:
        data = b"".join(rng.choice((b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff", data[:4])) for _ in range(len(data) // 4))
    count = len(header) if kind != 5 else rng.choice((0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1, 10**8 + 1))
    # A body that was changed before may have any length.
    return struct.pack("<Q", count % 2**64) + header + data


def _scrambled(rng: random.Random, wire: bytes) -> bytes:
    piece = bytearray(wire)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(piece) + 1)
        kind = rng.randrange(5)
        if kind == 0 and place < len(piece):
            piece[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            piece[place:place] = rng.choice(TOKENS)
        elif kind == 2:
            del piece[place : place + rng.choice((1, 2, 16))]
        elif kind == 3:
            piece[place:place] = piece[place : place + rng.choice((1, 8, 64))]
        else:
            del piece[place + rng.choice((0, 0, 100)) :]
    return bytes(piece)
