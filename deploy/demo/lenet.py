"""LeNet-5 in NumPy: the forward pass, and the gradients by hand.

Pictures are (samples, height, width, channels): what lies side by side is then what is multiplied and summed together.
Weights have the shapes that frameworks give them, (out, in, height, width).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Arrays = dict[str, np.ndarray]

#: What the server makes of each parameter before the first step.
PARAMETERS = {
    "conv1.weight": {"shape": [6, 1, 5, 5], "init": {"type": "xavier_uniform", "seed": 1}},
    "conv1.bias": {"shape": [6], "init": "zeros"},
    "conv2.weight": {"shape": [16, 6, 5, 5], "init": {"type": "xavier_uniform", "seed": 2}},
    "conv2.bias": {"shape": [16], "init": "zeros"},
    "fc1.weight": {"shape": [120, 400], "init": {"type": "xavier_uniform", "seed": 3}},
    "fc1.bias": {"shape": [120], "init": "zeros"},
    "fc2.weight": {"shape": [84, 120], "init": {"type": "xavier_uniform", "seed": 4}},
    "fc2.bias": {"shape": [84], "init": "zeros"},
    "fc3.weight": {"shape": [10, 84], "init": {"type": "xavier_uniform", "seed": 5}},
    "fc3.bias": {"shape": [10], "init": "zeros"},
}


def scores(values: Arrays, images: np.ndarray) -> np.ndarray:
    """The score of each class for each image."""
    return _forward(values, images)[0]


def accuracy(values: Arrays, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of the images that are recognized."""
    parts = [scores(values, images[start : start + 500]).argmax(axis=1) for start in range(0, len(images), 500)]
    return float((np.concatenate(parts) == labels).mean())


def loss_and_gradients(values: Arrays, images: np.ndarray, labels: np.ndarray) -> tuple[float, Arrays]:
    """The mean cross entropy over a batch, and its gradient for every parameter."""
    output, kept = _forward(values, images)
    output = output - output.max(axis=1, keepdims=True)
    probabilities = np.exp(output)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -float(np.log(probabilities[rows, labels] + 1e-12).mean())
    probabilities[rows, labels] -= 1
    return loss, _backward(values, kept, probabilities / np.float32(len(labels)))


def _forward(values: Arrays, images: np.ndarray) -> tuple[np.ndarray, Arrays]:
    """Scores, and what the way back needs of each layer."""
    kept: Arrays = {}
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    kept["conv1"], kept["patches1"] = _convolve(padded, values["conv1.weight"], values["conv1.bias"])
    kept["pool1"] = _pool(kept["conv1"])
    kept["conv2"], kept["patches2"] = _convolve(kept["pool1"], values["conv2.weight"], values["conv2.bias"])
    kept["pool2"] = _pool(kept["conv2"])
    kept["flat"] = kept["pool2"].reshape(len(images), -1)
    kept["fc1"] = np.maximum(kept["flat"] @ values["fc1.weight"].T + values["fc1.bias"], 0)
    kept["fc2"] = np.maximum(kept["fc1"] @ values["fc2.weight"].T + values["fc2.bias"], 0)
    return kept["fc2"] @ values["fc3.weight"].T + values["fc3.bias"], kept


def _backward(values: Arrays, kept: Arrays, error: np.ndarray) -> Arrays:
    """Gradients from the last layer to the first; `error` is the gradient of the scores."""
    gradients: Arrays = {}
    for layer, below in (("fc3", "fc2"), ("fc2", "fc1"), ("fc1", "flat")):
        gradients[f"{layer}.weight"] = error.T @ kept[below]
        gradients[f"{layer}.bias"] = error.sum(axis=0)
        error = error @ values[f"{layer}.weight"]
        if below != "flat":
            error = error * (kept[below] > 0)
    error = _unpool(error.reshape(kept["pool2"].shape), kept["pool2"], kept["conv2"])
    _convolution_gradients(gradients, "conv2", error, kept["patches2"], values["conv2.weight"].shape)
    error = _unconvolve(error, values["conv2.weight"], kept["pool1"].shape)
    error = _unpool(error, kept["pool1"], kept["conv1"])
    _convolution_gradients(gradients, "conv1", error, kept["patches1"], values["conv1.weight"].shape)
    return gradients


def _convolve(images: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convolution and ReLU as one matrix product over the patches (im2col); also the patches."""
    out, _, high, wide = weight.shape
    windows = sliding_window_view(images, (high, wide), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    count, rows, columns = windows.shape[:3]
    patches = windows.reshape(count * rows * columns, -1)
    product = patches @ weight.transpose(2, 3, 1, 0).reshape(-1, out)
    product += bias
    return np.maximum(product, 0, out=product).reshape(count, rows, columns, out), patches


def _convolution_gradients(
    gradients: Arrays, layer: str, error: np.ndarray, patches: np.ndarray, shape: tuple[int, ...]
) -> None:
    out, channels, high, wide = shape
    flat = error.reshape(-1, out)
    gradients[f"{layer}.weight"] = (patches.T @ flat).reshape(high, wide, channels, out).transpose(3, 2, 0, 1)
    gradients[f"{layer}.bias"] = np.ones(len(flat), np.float32) @ flat  # a sum; NumPy's own is slow down short rows


def _unconvolve(error: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of a convolution's input: each output's error, spread over its patch and summed (col2im)."""
    out, channels, high, wide = weight.shape
    rows, columns = error.shape[1:3]
    spread = np.matmul(error.reshape(-1, out), weight.transpose(2, 3, 0, 1).reshape(-1, out, channels))
    spread = spread.reshape(high, wide, *error.shape[:3], channels)
    result = np.zeros(shape, error.dtype)
    for row in range(high):
        for column in range(wide):
            result[:, row : row + rows, column : column + columns] += spread[row, column]
    return result


def _quarters(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Views of the four places of each 2 by 2."""
    return images[:, ::2, ::2], images[:, ::2, 1::2], images[:, 1::2, ::2], images[:, 1::2, 1::2]


def _pool(images: np.ndarray) -> np.ndarray:
    """The largest of each 2 by 2."""
    first, second, third, fourth = _quarters(images)
    return np.maximum(np.maximum(first, second), np.maximum(third, fourth))


def _unpool(error: np.ndarray, pooled: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The gradient goes to where the maximum was, unless ReLU had cut it off there; of equal ones the first gets it."""
    result = np.empty_like(images)
    waiting = pooled > 0
    for target, source in zip(_quarters(result), _quarters(images), strict=True):
        is_maximum = (source == pooled) & waiting
        np.multiply(error, is_maximum, out=target)
        waiting ^= is_maximum
    return result
