#!/usr/bin/env python3
"""Writes Golden/v4: images of format 6 and 7, records of kind 17 in each of their forms, and one of kind 18.

Independent of the Swift code: it follows the layouts described here and in ParameterServing with a writer of its own. The
values are chosen, not computed by an optimizer. Run once per format, never again:

    python3 make_golden.py ../Golden/v4

Everything is little-endian. A number is 8 bytes, signed or a double; a text is its length and UTF-8; a list is its
length and its elements; an optional value is one byte, 1 before a value and 0 without.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterable

UID = 0xCAFEF00D
#: Float32 values of the images: parameters in update order.
IMAGE_VALUES = [1.0, -2.0, 0.5, 4.0]
IMAGE_MOMENTS = [0.25, 0.5, 0.75, -1.0]
IMAGE_AVERAGE = [1.5, -2.5, 0.125, 8.0]
#: The state of the record that restores another layout.
RESTORED_VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
RESTORED_MOMENTS = [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]


def byte(value: int) -> bytes:
    return struct.pack("<B", value)


def integer(value: int) -> bytes:
    return struct.pack("<q", value)


def unsigned(value: int) -> bytes:
    return struct.pack("<Q", value)


def double(value: float) -> bytes:
    return struct.pack("<d", value)


def float32(value: float) -> bytes:
    return struct.pack("<f", value)


def floats(values: Iterable[float]) -> bytes:
    return b"".join(map(float32, values))


def text(value: str) -> bytes:
    encoded = value.encode()
    return integer(len(encoded)) + encoded


def array(elements: Iterable[bytes]) -> bytes:
    elements = list(elements)
    return integer(len(elements)) + b"".join(elements)


def optional(value: object, write: Callable[..., bytes]) -> bytes:
    return byte(0) if value is None else byte(1) + write(value)


def padded(content: bytes, alignment: int) -> bytes:
    return content + bytes(-len(content) % alignment)


def setting(value: object) -> bytes:
    """One byte for the kind, then the value: 0 null, 1 boolean, 2 integer, 3 number, 4 text, 6 array, 7 object."""
    if value is None:
        return byte(0)
    if isinstance(value, bool):
        return byte(1) + byte(value)
    if isinstance(value, int):
        return byte(2) + integer(value)
    if isinstance(value, float):
        return byte(3) + double(value)
    if isinstance(value, str):
        return byte(4) + text(value)
    if isinstance(value, list):
        return byte(6) + array(map(setting, value))
    assert isinstance(value, dict)
    return byte(7) + array(text(key) + setting(member) for key, member in value.items())


def parameter(name: str, shape: list[int], kind: int = 1) -> bytes:
    """Kind: 0 not trained, 1 trained, 2 int8."""
    return text(name) + array(map(integer, shape)) + byte(kind)


def rates(values: list[float | None]) -> bytes:
    return array(optional(value, float32) for value in values)


def receipt(
    step: int, version: int, *, applied: bool = True, clipped: float | None = None, held: bool = False,
    closed: int | None = None, brought: dict[str, object] | None = None
) -> bytes:
    """Flags: 1 applied, 4 of a round, 8 clipped, 16 with hyperparameters. Rates follow -1: they are in no table."""
    flags = applied | (held or closed is not None) << 2 | (clipped is not None) << 3 | (brought is not None) << 4
    content = byte(flags) + integer(step) + integer(version) + integer(-1) + rates([0.5, None] if applied else [])
    content += integer(3) + double(2.5) + optional(0.125, double) + byte(0) + optional(None, double) + integer(1)
    if held:
        content += byte(0) + integer(step + 1) + integer(1) + optional(2, integer)
    if closed is not None:
        content += byte(0x80) + integer(step) + integer(closed) + optional(None, integer)
    if clipped is not None:
        content += double(clipped)
    if brought is not None:
        content += setting(brought)
    return content


def worker(name: str, epoch: int, last: int, forgotten: int, entries: list[tuple[int, bytes]]) -> bytes:
    pushes = array(integer(seq) + unsigned(7) + unsigned(seq) + content for seq, content in entries)
    return text(name) + integer(epoch) + integer(last) + integer(forgotten) + pushes


def series(stride: int, points: list[tuple[int, int, int, int, float, float, float]]) -> bytes:
    """A point: its first step, last step, time and count; the smallest, the largest and the last value."""
    return integer(stride) + array(
        b"".join(map(integer, point[:4])) + b"".join(map(double, point[4:])) for point in points)


def held_push(*, epoch: int = 1, brought: dict[str, object] | None) -> bytes:
    """The record of push 3 of worker a: v is dense, row 2 and row 0 of w are given, with examples and hyperparameters."""
    head = byte(1) + byte(0) + text("a") + integer(epoch) + integer(3)
    head += unsigned(0x1111) + unsigned(0x2222) + optional(2, integer) + optional(0.75, double) + byte(0)
    head += array([byte(0), byte(1)]) + array([integer(0) + array([integer(2), integer(0)]) + integer(2)])
    content = padded(head, 4) + floats([-0.5]) + floats([3.0, 1.0])
    tail = byte(3) + optional(None, integer) + optional(None, integer) + optional(None, integer)
    tail += byte(1) + integer(1_700_000_000) + optional(None, text)
    tail += optional(32, integer) + byte(0) + array([text("acc") + double(0.5)])
    return content + tail + optional(brought, setting)


def image(number: int) -> bytes:
    """An image of format 6 or 7: the length of its head, the head, the values."""
    settings = {
        "optimizer": {"type": "SGD", "framework": "torch", "momentum": 0.5}, "learning_rate": 0.5,
        "clip": {"global_norm": 1.0, "per": "worker"}, "averages": {"ema": {"decay": 0.5}},
        "consistency": {"mode": "sync", "workers": 2},
    }
    head = byte(number) + text("golden") + struct.pack("<I", UID) + unsigned(0xAAAA) + unsigned(0xBBBB)
    head += setting(settings) + array([parameter("w", [3]), parameter("v", [1])])
    head += integer(5) + optional(None, text) + unsigned(12)
    head += array([])  # lists of rates that receipts share
    head += array([
        worker("a", 1, 3, 1, [
            (2, receipt(2, 4, clipped=1.0, closed=2, brought={"learning_rate": 0.25})),
            (3, receipt(2, 5, applied=False, held=True)),
        ]),
        worker("wörker", 4, 0, 0, []),
    ]) + array([])
    head += integer(-4) + array([text("ema") + integer(2) + integer(4)])
    head += integer(-2) + integer(2) + array([byte(1), byte(1)]) + array([integer(2), integer(1)])
    head += array([]) + array([]) + array([text("momentum_buffer") + integer(4)])
    head += array([integer(2) + integer(1) + optional(None, integer), integer(4) + integer(2) + optional(3, integer)])
    head += array([])  # answers under keys
    head += byte(0) + array([integer(1_700_000_001), integer(0)])
    head += array([text("gone") + integer(3) + integer(9) + integer(1_600_000_000)])
    head += array([unsigned(5) + unsigned(6) + integer(1_500_000_000)])
    push = held_push(brought={"learning_rate": 0.25})
    head += integer(1) + array([integer(11) + integer(0) + integer(0) + byte(0) + integer(len(push)) + push])
    head += array([text("a") + integer(7)]) + array([text("gone")])
    head += array([optional(30_000, integer) + byte(0), optional(500, integer) + byte(1)])
    head += integer(6) + optional(2, integer)
    head += series(1, [(1, 1, 1_700_000_000, 1, 0.5, 0.5, 0.5), (2, 2, 1_700_000_001, 2, 0.25, 0.75, 0.25)])
    head += series(1, []) + series(2, [(0, 1, 0, 2, 1.0, 3.0, 3.0)]) + series(1, [])
    head += integer(1) + array([
        b"".join(map(integer, [1, 1, 1_700_000_000, 1, 1])) + rates([0.5]),
        b"".join(map(integer, [2, 3, 1_700_000_001, 2, 2])) + rates([0.25]) + rates([0.125]) + rates([0.5]),
    ])
    head += series(1, []) + integer(1_700_000_000) + integer(3)
    head += array([text("a") + series(1, []) + integer(1_700_000_000) + integer(2)])
    head += array([text("acc") + series(1, [(2, 2, 1_700_000_001, 1, 0.5, 0.5, 0.5)])])
    head += integer(40)
    if number >= 7:
        head += integer(4) + array([text("v") + integer(4), text("w") + integer(3)])
    head = padded(head, 8)
    return integer(len(head)) + head + floats(IMAGE_VALUES + IMAGE_MOMENTS + IMAGE_AVERAGE)


def growth() -> bytes:
    """Form 0: if the model has version 3, two parameters in group `default`, and 3 rows of w."""
    head = byte(0) + byte(1) + integer(3) + optional("default", text)
    head += array([text("w") + integer(3) + setting({"type": "normal", "seed": 5})])
    head = padded(head, 8)
    # A definition without settings, in its second format because of the integers: values follow its head.
    head += byte(2) + setting({}) + array([
        parameter("x", [2]) + byte(1),
        parameter("ünit", [], 2) + byte(0) + setting("ones"),
    ])
    return padded(head, 8) + floats([7.0, 8.0])


def restore_of_layout() -> bytes:
    """Form 1: w with 5 rows in its group, v not trained any more; then the state, with its version in the tail."""
    head = byte(1) + array([
        parameter("w", [5]) + optional("default", text), parameter("v", [1], 0) + optional(None, text)])
    head += integer(7) + array([byte(1), byte(0)]) + array([]) + array(map(double, [8.0, 2.0, 1.0, 0.0]))
    head += array([text("moments") + integer(6)])
    content = padded(head, 4) + floats(RESTORED_VALUES + RESTORED_MOMENTS)
    return content + byte(1) + optional(None, integer) + optional(9, integer) + optional(None, text)


def patch_of_layout() -> bytes:
    """Form 2: a patch of the whole model that freezes w, without a condition."""
    head = byte(2) + optional(None, text) + setting({"parameters": {"w": {"trainable": False}}}) + byte(0)
    return padded(head, 4)


def keyed_push() -> bytes:
    """The record of a push with a key of its request: w is dense, and there is nothing else."""
    head = byte(0) + unsigned(0x3333) + unsigned(0x4444) + optional(None, integer) + optional(None, double) + byte(0)
    head += array([byte(1), byte(0)]) + array([])
    tail = byte(2) + optional(None, integer) + optional(None, integer)
    tail += byte(1) + text("kéy") + optional(True, lambda _: unsigned(1) + unsigned(2)) + unsigned(3) + unsigned(4)
    tail += integer(1_700_000_000) + integer(1_700_000_002) + optional(None, text)
    return padded(head, 4) + floats([7.0, 8.0, 9.0]) + tail


def create_with_round() -> bytes:
    """Creation 7: a state as in kind 8, its definition, its values, then the round with two pushes."""
    settings = {
        "optimizer": {"type": "momentum", "momentum": 0.5}, "learning_rate": 0.125,
        "consistency": {"mode": "manual"},
    }
    head = unsigned(7) + text("sample") + integer(2) + array([byte(1), byte(1)]) + array([])
    head += array([]) + array([text("moments") + integer(4)])
    head = padded(head, 8) + byte(1) + setting(settings)
    head += array([parameter("w", [3]) + byte(1), parameter("v", [1]) + byte(1)])
    content = padded(head, 8) + floats(IMAGE_VALUES + IMAGE_MOMENTS) + integer(0)
    pushes = [(2, 1, held_push(epoch=5, brought=None)), (0, 0, keyed_push())]
    return content + array([
        integer(0) + integer(gap) + integer(staleness) + byte(0) + integer(len(push)) + push
        for gap, staleness, push in pushes
    ])


def main(target: str) -> None:
    os.makedirs(target, exist_ok=True)
    files = {
        "growth.bin": growth(), "restoreOfLayout.bin": restore_of_layout(), "patchOfLayout.bin": patch_of_layout(),
        "image6.bin": image(6), "image7.bin": image(7), "createWithRound.bin": create_with_round(),
    }
    for name, data in files.items():
        with open(os.path.join(target, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main(sys.argv[1])
