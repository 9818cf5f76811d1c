"""What frameworks call a tensor: taken as it is, without any of them being imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from answers import RECEIPT, REGISTERED, answer
from paramd import Client, Rows, arrays, definitions, tensors


class _TorchTensor:
    """Refuses where PyTorch's does: with a graph, on a device, in a type that NumPy does not have."""

    is_sparse = False

    def __init__(self, values: Any, kind: str = "float32", *, has_graph: bool = False, device: str = "cpu") -> None:
        self.values, self.kind, self.has_graph, self.device = np.float32(values), kind, has_graph, device

    @property
    def dtype(self) -> str:
        return f"torch.{self.kind}"

    def detach(self) -> _TorchTensor:
        return _TorchTensor(self.values, self.kind, device=self.device)

    def cpu(self) -> _TorchTensor:
        return _TorchTensor(self.values, self.kind, has_graph=self.has_graph)

    def float(self) -> _TorchTensor:
        return _TorchTensor(self.values, "float32", has_graph=self.has_graph, device=self.device)

    def numpy(self) -> np.ndarray:
        if self.has_graph:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.device != "cpu":
            raise TypeError(f"can't convert {self.device} device type tensor to numpy.")
        if self.kind == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values

    def __array__(self, *_: Any) -> np.ndarray:
        return self.numpy()


class _SparseTensor(_TorchTensor):
    """An embedding's gradient, each row perhaps more than once."""

    is_sparse = True

    def detach(self) -> _SparseTensor:
        return self

    def coalesce(self) -> _SparseTensor:
        return self

    def indices(self) -> Any:
        return np.int64([[5, 9]])

    def values(self) -> _TorchTensor:  # type: ignore[override]
        return _TorchTensor([[1, 2], [3, 4]], "bfloat16", has_graph=True)

    def __init__(self) -> None:
        self.kind = "float32"


class _MindSporeTensor:
    """Its NumPy bridge knows no bfloat16 either."""

    def __init__(self, values: Any, dtype: str) -> None:
        self.values, self.dtype = np.float32(values), dtype

    def float(self) -> _MindSporeTensor:
        return _MindSporeTensor(self.values, "Float32")

    def asnumpy(self) -> np.ndarray:
        if self.dtype == "BFloat16":
            raise TypeError("bfloat16")
        return self.values


class _CuPyArray:
    """Refuses to be converted without being told."""

    __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012

    def get(self) -> np.ndarray:
        return np.float32([1, 2])

    def __array__(self, *_: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


BROUGHT = {
    "parameter": _TorchTensor([1, 2], has_graph=True),
    "bfloat16": _TorchTensor([1, 2], "bfloat16"),
    "bfloat16 with a graph on a device": _TorchTensor([1, 2], "bfloat16", has_graph=True, device="cuda"),
    "device": _TorchTensor([1, 2], device="mps"),
    "MindSpore": _MindSporeTensor([1, 2], "Float32"),
    "MindSpore's bfloat16": _MindSporeTensor([1, 2], "BFloat16"),
    "CuPy": _CuPyArray(),
    "half": np.float16([1, 2]),
    "double": np.float64([1, 2]),
    "whole": np.int64([1, 2]),
    "other end first": np.array([1, 2], ">f4"),
    "not contiguous": np.float32([1, 9, 2])[::2],
    "list": [1, 2],
}


@pytest.mark.parametrize("kind", BROUGHT)
def test_taken_as_it_is(client: Client, kind: str) -> None:
    """As a parameter, a gradient and a value."""
    model, brought = client.model("brought"), BROUGHT[kind]
    model.create({"w": brought}, "sgd", learning_rate=0.5, replace=True)
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])
    model.push({"w": brought})
    np.testing.assert_array_equal(model.latest()["w"], [0.5, 1])
    model.import_({"w": brought})
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])
    model.delete()


def test_counters_of_a_framework() -> None:
    """A BatchNorm's number of batches is no parameter to train, and stays whole."""

    class Counter(_TorchTensor):
        def detach(self) -> Counter:
            return self

        def cpu(self) -> Counter:
            return self

        def numpy(self) -> np.ndarray:
            return np.array(7)

    entry = {"dtype": "I64", "shape": [], "b64": "BwAAAAAAAAA=", "trainable": False}
    assert definitions.parameters({"n": Counter(0, "int64")}) == {"n": entry}
    assert b'"dtype":"I64"' in tensors.dump(tensors.dense({"n": Counter(0, "int64")}, "parameters"))


@pytest.mark.parametrize(("number", "dtype"), [(2**24, b"F32"), (2**24 + 1, b"I64"), (2**63 - 1, b"I64")])
def test_whole_numbers_are_not_rounded(number: int, dtype: bytes) -> None:
    """What float32 does not hold is sent as it is, for the server to refuse or to keep."""
    assert b'"dtype":"' + dtype in tensors.dump(tensors.dense({"n": np.array([number])}, "parameters"))


def test_sparse_tensor() -> None:
    """Becomes rows."""
    sparse = tensors.with_rows({"e": _SparseTensor()})
    np.testing.assert_array_equal(sparse["e#indices"], [5, 9])
    np.testing.assert_array_equal(sparse["e#values"], [[1, 2], [3, 4]])


def test_half_the_bytes() -> None:
    """Float16 travels as such, and does not become twice as long."""
    assert b'"dtype":"F16"' in tensors.dump(tensors.with_rows({"w": np.float16([1, 2])}))


def test_brain_floats() -> None:
    """The upper halves of float32: 1 is 3f80, -2 is c000."""
    bits = np.uint16([0x3F80, 0xC000])
    written = tensors.dump({"w": arrays.Brain(bits)})
    assert written.endswith(b"\x80\x3f\x00\xc0")
    assert b'"dtype":"BF16"' in written
    np.testing.assert_array_equal(tensors.load(written)[0]["w"], [1, -2])
    np.testing.assert_array_equal(arrays.Brain(bits).widened(), [1, -2])


def test_brain_floats_of_ml_dtypes() -> None:
    """As JAX and TensorFlow have them."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for values in ([1, -2], 1.5, [[]]):
        brought = arrays.real("w", np.array(values, ml_dtypes.bfloat16))
        assert isinstance(brought, arrays.Brain)
        np.testing.assert_array_equal(brought.widened(), np.float32(values))


def test_tensors_of_torch(client: Client) -> None:
    """The real ones, where they are installed."""
    torch = pytest.importorskip("torch")
    module = torch.nn.Embedding(4, 2, sparse=True)
    model = client.model("torch")
    model.create(dict(module.named_parameters()), "lazy_adam", learning_rate=0.5, replace=True)
    module(torch.tensor([1, 3, 1])).sum().backward()
    model.push({"weight": module.weight.grad})
    before = module.weight.detach().clone()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.latest().items()})
    assert (module.weight != before).any(dim=1).tolist() == [False, True, False, True]
    with pytest.raises(TypeError, match="`bias`: None"):
        model.push({"bias": torch.nn.Linear(1, 1).bias.grad})
    model.delete()


def test_loss_may_be_a_tensor(scripted: Callable) -> None:
    """What a training loop has at hand."""

    class Scalar(_TorchTensor):
        def __float__(self) -> float:
            return 0.25

    server = scripted(REGISTERED, answer(200, RECEIPT))
    Client(server.url).model("m").push({"w": [1]}, loss=Scalar(0.25))
    assert b"X-Paramd-Loss: 0.25\r\n" in server.requests[1]


def test_rates_may_be_tensors() -> None:
    """As what a framework's function of a schedule gives."""
    assert definitions.dump({"lr": np.float32([0.5, 0.25])}) == b'{"lr": [0.5, 0.25]}'


def test_rows_of_tensors() -> None:
    """Indices and values from a framework."""
    sparse = tensors.with_rows({"e": Rows([1], _TorchTensor([[1, 2]], has_graph=True))})
    np.testing.assert_array_equal(sparse["e#values"], [[1, 2]])


def test_error_names_the_parameter() -> None:
    """Whatever the framework says."""

    class Meta(_TorchTensor):
        def detach(self) -> _TorchTensor:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")

    with pytest.raises(TypeError, match="`w`: Cannot copy"):
        tensors.with_rows({"w": Meta([1])})
