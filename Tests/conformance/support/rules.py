"""Update rules in NumPy float32, written from the framework's formulas and independently of the server."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass
class Momentum:
    """v = momentum * v + g;  w = w - lr * v, with every operation rounded to float32."""

    momentum: float = 0.9
    moments: Arrays = field(default_factory=dict)

    def update(self, parameters: Arrays, gradients: Arrays, rates: dict[str, float]) -> None:
        """Makes one step in place; `rates` holds the learning rate of each parameter."""
        for name, gradient in gradients.items():
            moment = self.moments.get(name, np.zeros_like(gradient))
            self.moments[name] = np.float32(self.momentum) * moment + gradient
            parameters[name] = parameters[name] - np.float32(rates[name]) * self.moments[name]


@dataclass
class Adam:
    """MindSpore's Adam: lr * sqrt(1 - b2^t) / (1 - b1^t), epsilon outside the root and not corrected."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    step: int = 0
    first: Arrays = field(default_factory=dict)
    second: Arrays = field(default_factory=dict)

    def update(self, parameters: Arrays, gradients: Arrays, rate: float) -> None:
        """Makes one step in place."""
        self.step += 1
        corrected = np.float32(rate * np.sqrt(1 - self.beta2**self.step) / (1 - self.beta1**self.step))
        for name, gradient in gradients.items():
            m, v = (slot.get(name, np.zeros_like(gradient)) for slot in (self.first, self.second))
            self.first[name] = m = m + (gradient - m) * np.float32(1 - self.beta1)
            self.second[name] = v = v + (gradient * gradient - v) * np.float32(1 - self.beta2)
            parameters[name] = parameters[name] - corrected * m / (np.sqrt(v) + np.float32(self.epsilon))
