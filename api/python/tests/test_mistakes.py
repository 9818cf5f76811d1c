"""What people get wrong, and what they are told: an exception of the kind that Python has for it, with the name."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paramd import Client, Fenced, Invalid, Model, NotFound, Rows, Unreachable
from support.daemon import Daemon

MISTAKES: dict[str, tuple[type[Exception], str, Callable[[Model], Any]]] = {
    "no range": (ValueError, "range", lambda model: model.lr(range(0))),
    "backwards": (ValueError, "ascending", lambda model: model.weight_decay(range(5, 0, -1))),
    "list of gradients": (TypeError, "by name", lambda model: model.push([1, 2])),
    "list of values": (TypeError, "by name", lambda model: model.import_([1, 2])),
    "list of parameters": (TypeError, "by name", lambda model: model.create([1, 2], "sgd")),
    "text": (TypeError, "`w`", lambda model: model.push({"w": "abc"})),
    "complex": (TypeError, "`w`.*complex", lambda model: model.push({"w": np.array([1j, 2])})),
    "None": (TypeError, "`w`", lambda model: model.push({"w": [None, 1]})),
    "ragged": (ValueError, "`w`", lambda model: model.push({"w": [[1], [1, 2]]})),
    "half a row": (TypeError, "`w`.*whole numbers", lambda model: model.push({"w": Rows([0.5], [1])})),
    "NaN pushed": (Invalid, "`w` holds NaN", lambda model: model.push({"w": [np.nan, 1]})),
    "beyond float32": (Invalid, "`w` holds", lambda model: model.push({"w": [1e300, 1]})),
    "NaN in a definition": (ValueError, "`w` holds NaN", lambda model: model.create({"w": [np.nan]}, "sgd")),
    "NaN as a rate": (ValueError, "NaN", lambda model: model.patch(learning_rate=float("nan"))),
    "object as a rate": (TypeError, "JSON", lambda model: model.patch(learning_rate=object())),
    "shape": (Invalid, r"\[2\].*\[3\]", lambda model: model.push({"w": [1, 2, 3]})),
    "no gradient": (TypeError, "`w`: None.*p.grad.*leave `w` out", lambda model: model.push({"w": None})),
    "objects": (TypeError, "`w`.*Python objects", lambda model: model.push({"w": np.array([{}, 1], object)})),
    "tree of gradients": (TypeError, "'w.b'", lambda model: model.push({"w": {"b": [1, 2]}})),
    "tree of values": (TypeError, "'w.b'", lambda model: model.import_({"w": {"b": [1, 2]}})),
    "tree of parameters": (TypeError, "'w.b'", lambda model: model.create({"w": {"b": [1, 2]}}, "sgd")),
    "numbers as names": (TypeError, "text", lambda model: model.push({0: [1, 2]})),
    "no such parameter": (NotFound, "`typo`", lambda model: model.pull(names="typo")),
    "glob that matches nothing": (LookupError, r"`typo\*`", lambda model: model.pull(names=["w", "typo*"])),
    "wait for nothing": (ValueError, "since", lambda model: model.pull(wait=1)),
    "type": (ValueError, "bfloat16", lambda model: model.pull(dtype="int8")),
    "no file": (FileNotFoundError, "nowhere", lambda model: model.import_("/nowhere.safetensors")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(model: Model, mistake: str) -> None:
    """Raised with words that help; nothing is applied, and the next push is fine."""
    kind, words, make = MISTAKES[mistake]
    with pytest.raises(kind, match=words):
        make(model)
    assert model.push({"w": [1, 0]}).step == 1


def test_preview_of_no_range(client: Client) -> None:
    """Not an IndexError."""
    with pytest.raises(ValueError, match="range"):
        client.lr_preview(0.5, range(0))


def test_encryption_where_there_is_none(daemon: Daemon) -> None:
    """Said at once: no later try would end otherwise."""
    began = time.monotonic()
    with pytest.raises(Unreachable, match="http://"):
        Client(daemon.url.replace("http:", "https:")).version()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 129, 7])
def test_no_name_of_a_model(client: Client, name: Any) -> None:
    """Said at once, not as the 404 of another path."""
    with pytest.raises(ValueError, match="name"):
        client.model(name)


def test_numpy_in_definitions(client: Client) -> None:
    """A rate comes from `np.linspace` as often as not; float32 arrives as what it prints as."""
    model = client.model("numpy")
    model.create({"w": [0]}, {"type": "momentum", "momentum": np.float32(0.9)}, learning_rate=np.float32([0.1, 0.2]))
    assert model.info()["definition"]["optimizer"]["momentum"] == 0.9
    assert model.lr_of("w")[0]["learning_rate"] == [0.1, 0.2]
    model.patch(learning_rate=np.float64(0.25))
    assert model.lr() == {"default": 0.25}
    model.delete()


@pytest.mark.parametrize("make", [str, Path])
def test_files_by_either_kind_of_path(model: Model, tmp_path: Path, make: Callable[[Path], Any]) -> None:
    """Text or Path."""
    file = make(tmp_path / "m.safetensors")
    model.export(file)
    model.push({"w": [1, 0]})
    model.import_(file)
    np.testing.assert_array_equal(model.latest()["w"], [0, 0])


FILES: dict[str, tuple[bytes, str]] = {
    "m.npz": (b"PK\x03\x04", r"import_\(numpy.load\("),
    "m.pt": (b"PK\x03\x04", r"import_\(torch.load\("),
    "m.npy": (b"\x93NUMPY", r"'NAME': numpy.load\("),
    "m.pkl": (b"\x80\x04", r"torch.load\("),
    "m.h5": (b"\x89HDF", "h5py"),
    "m.json": (b'{"w": [1, 2]}', "json.load"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_kinds(model: Model, tmp_path: Path, name: str) -> None:
    """The line to write."""
    start, words = FILES[name]
    (tmp_path / name).write_bytes(start + b"\0" * 20)
    with pytest.raises(ValueError, match=words):
        model.import_(tmp_path / name)


@pytest.mark.parametrize("length", [0x80, 0x17B, 0x4B50])
def test_files_that_begin_like_others(model: Model, tmp_path: Path, length: int) -> None:
    """The length of a header may begin with the bytes of a pickle, of JSON or of a zip file."""
    header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'.ljust(length)
    data = np.float32([1, 2]).tobytes()
    (tmp_path / "m.safetensors").write_bytes(length.to_bytes(8, "little") + header + data)
    model.import_(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])


def test_archive_of_numpy(model: Model, tmp_path: Path) -> None:
    """The line that the message says."""
    np.savez(tmp_path / "m.npz", w=np.float32([1, 2]))
    model.import_(np.load(tmp_path / "m.npz"))
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])


def test_representations(client: Client, model: Model) -> None:
    """What a notebook shows."""
    assert repr(client) == f"Client('http://{client._transport.address.host}:{client._transport.address.port}')"
    assert model.name in repr(model) and model.worker in repr(model)


def test_one_glob(model: Model) -> None:
    """A text is one glob, not one for each of its letters."""
    assert list(model.pull(names="m*").parameters) == ["m"]


def test_push_after_replace(model: Model) -> None:
    """The new model knows nothing of the old one's workers."""
    model.push({"w": [1, 0]})
    model.create({"w": [1, 1]}, "sgd", learning_rate=0.5, replace=True)
    assert [model.push({"w": [1, 0]}).step for _ in range(2)] == [1, 2]
    np.testing.assert_array_equal(model.latest()["w"], [0, 1])


def test_push_after_delete_and_create(model: Model) -> None:
    """The same name, another model."""
    model.push({"w": [1, 0]})
    model.latest()
    model.delete()
    model.create({"w": [1, 1]}, "sgd", learning_rate=0.5)
    np.testing.assert_array_equal(model.latest()["w"], [1, 1])
    assert model.push({"w": [1, 0]}).step == 1


@pytest.mark.parametrize("worker", ["007", "1e3", "true", "null", "NaN"])
def test_workers_that_look_like_numbers(model: Model, client: Client, worker: str) -> None:
    """Their names are text all the way: registered and pushed under the same one."""
    named = client.model(model.name, worker=worker)
    assert [named.push({"w": [1, 0]}).step for _ in range(2)] == [1, 2]


def test_model_replaced_by_another(model: Model, client: Client) -> None:
    """A worker gets Fenced, since its gradients belong to the old model, and continues after it registers again."""
    worker = client.model(model.name, worker="wörker-日本")
    worker.push({"w": [1, 0]})
    model.create({"w": [1, 1]}, "sgd", learning_rate=0.5, replace=True)
    with pytest.raises(Fenced, match="register"):
        worker.push({"w": [1, 0]})
    assert worker.register() >= 1
    np.testing.assert_array_equal(worker.latest()["w"], [1, 1])
    assert worker.push({"w": [1, 0]}).step == 1
