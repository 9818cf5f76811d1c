#!/usr/bin/env python3
"""Writes Golden/v1 to Golden/v3: a journal of two segments in that format version, and a snapshot.

Independent of the Swift code: it follows the layouts in RecordHeader.swift, SegmentHeader.swift and
SnapshotFormat.swift with a bitwise CRC32C of its own. Run once per format version, never again:

    python3 make_golden.py 1 ../Golden/v1
    python3 make_golden.py 2 ../Golden/v2
    python3 make_golden.py 3 ../Golden/v3

Since version 2 both segments were other segments before: remains of that use follow their last records. In version 3
record p has 37 * p zeros before its payload.
"""

import os
import struct
import sys


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def payload(position):
    """Byte i of the record at that position is (31 * position + i) mod 256; it has 100 * position bytes."""
    return bytes((31 * position + i) % 256 for i in range(100 * position))


def segment(version, number, first, chain, salt, records, size):
    head = b"PARAMJNL" + struct.pack("<IIQQIIQ", version, 64, number, first, chain, salt, 0)
    head += bytes(12) if version == 1 else struct.pack("<QI", first, 1)
    out = head + struct.pack("<I", crc32c(head))
    for position, (kind, flags, model, content) in enumerate(records, first):
        padded = content + bytes(-len(content) % 8)
        lead = 37 * position if version > 2 else 0
        head = struct.pack(
            "<QQQIHHIII", 48 + lead + len(content), position, position, model, kind, flags, lead, chain, crc32c(padded))
        chain = crc32c(head, salt)
        out += head + struct.pack("<I", chain) + bytes(lead) + content + bytes(-(lead + len(content)) % 8)
    return out + bytes(max(0, size - len(out))), chain


def snapshot(number, kind, model, position, label, content, salt):
    head = b"PARAMSNP" + struct.pack(
        "<IIQQQIHHI", 1, 4096, number, len(content), position, model, kind, len(label), salt)
    head += bytes(64 - len(head)) + label
    head += bytes(4092 - len(head))
    out = head + struct.pack("<I", crc32c(head))
    for block, start in enumerate(range(0, len(content), 65528)):
        part = content[start:start + 65528] + struct.pack("<I", block)
        out += part + struct.pack("<I", crc32c(part, salt))
    return out


def used(version, data, number, salt, size):
    """Puts the bytes over those of an earlier segment, whose records have lower positions and another salt."""
    if version == 1:
        return data
    records = [(7, 70, 0xA0000007, payload(position)) for position in (3, 2, 1, 4, 2)]
    earlier, _ = segment(version, number, 1, 0, salt, records, size)
    return data + earlier[len(data):]


def main(version, target):
    os.makedirs(target, exist_ok=True)
    records = [(position, 10 * position, 0xA0000000 + position, payload(position)) for position in range(1, 7)]
    seal = (0xFFFF, 0, 0, b"")
    first, chain = segment(version, 1, 1, 0, 0x11111111, records[:4], 0)
    second, _ = segment(version, 2, 5, chain, 0x22222222, records[4:] + [seal], 4096 if version == 1 else 0)
    content = bytes(i * i % 251 for i in range(70_000))
    files = {
        "segment-000000000001.journal": used(version, first, 1, 0x44444444, 2048),
        "segment-000000000002.journal": used(version, second, 2, 0x55555555, 2048),
        "state-000000000003.snapshot": snapshot(3, 2, 0xA0000001, 5, b"first golden", content, 0x33333333),
    }
    for name, data in files.items():
        with open(os.path.join(target, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
