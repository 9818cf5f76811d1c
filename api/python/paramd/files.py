"""The bytes of a file of tensors, or the line to write for a file of another kind."""

from __future__ import annotations

import os
from pathlib import Path

File = str | os.PathLike[str]

_OTHERS = (
    (b"\x93NUMPY", "a .npy file holds one array without a name: write import_({{'NAME': numpy.load({path!r})}})"),
    (b"\x89HDF", "an HDF5 file: read it with h5py and write import_({{name: array, ...}})"),
    (b"\x80", "a pickle: write import_(torch.load({path!r})) if torch.save made it"),
    (b"{", "JSON: write import_(json.load(open({path!r}))) if it holds arrays by name"),
)


def read(path: File) -> bytes:
    """A safetensors file's bytes; ValueError for another kind of file."""
    data = Path(path).read_bytes()
    # The length of a header may begin like another kind of file: 128 like a pickle.
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8:
        return data
    shown = os.fspath(path)
    if data.startswith(b"PK"):
        call = "numpy.load" if shown.endswith(".npz") else "torch.load"
        advice = f"use import_({call}({shown!r}))"
        raise ValueError(f"{shown} is a zip file, as written by {call[:5]}, not safetensors; {advice}")
    for magic, advice in _OTHERS:
        if data.startswith(magic):
            raise ValueError(f"{shown} is not safetensors but " + advice.format(path=shown))
    return data
