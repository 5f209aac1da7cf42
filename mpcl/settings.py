"""How a network is trained, and where: settings that are checked before anything runs."""

from dataclasses import dataclass, fields

import torch

from mpcl.normalisation import WAYS

PRECISIONS = ("float64", "float32", "tf32", "bfloat16")


class ParameterError(ValueError):
    """A parameter that is unknown or cannot be used."""


@dataclass(frozen=True)
class Settings:
    """How a network is trained; the defaults are those of the full profile.

    Attributes:
        epochs: passes over the training windows; each draws as many windows as there are, so that
            every trial counts alike.
        batch: windows in a batch.
        moments: of these windows, how many are drawn of one trial, where a network reads trials.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: on matrices only, not on memories, prototypes or biases.
        mixup: parameter a of the Beta(a, a) by which pairs of windows are mixed; 0 for none.
        modality_dropout: probability that a modality is withheld from a window while training.
        clip: largest norm of the gradient.
        normalisation: ``transductive`` or ``inductive``, see :mod:`mpcl.normalisation`.
        precision: ``float64`` (the book: same digits everywhere), ``float32``, or, where the device has units for them,
            ``tf32`` and ``bfloat16`` (weights stay float32).
        compile: let torch.compile fuse the step; pays on long runs only, and needs a C++ compiler.
        patience: epochs without a better validation KL after which a replica stops (early stopping; its learning rate
            is constant, a fifth of its training participants validate); 0 trains all epochs and keeps the last state.
    """

    epochs: int = 20
    batch: int = 64
    moments: int = 3
    learning_rate: float = 3e-3
    weight_decay: float = 0.3
    mixup: float = 0.4
    modality_dropout: float = 0.1
    clip: float = 1.0
    normalisation: str = "transductive"
    precision: str = "float64"
    compile: bool = False
    patience: int = 0

    @property
    def dtype(self):
        """The :class:`torch.dtype` of weights and inputs."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def __post_init__(self):
        wrong = [f"{f.name} must not be negative" for f in fields(self)
                 if f.type in ("int", "float", int, float) and getattr(self, f.name) < 0]
        wrong += [f"{name} must be at least 1" for name in ("epochs", "batch", "moments") if getattr(self, name) < 1]
        if self.normalisation not in WAYS:
            wrong.append(f"normalisation must be {' or '.join(WAYS)}, not {self.normalisation!r}")
        if self.precision not in PRECISIONS:
            wrong.append(f"precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}")
        if wrong:
            raise ParameterError("; ".join(wrong))


def device_of(name="auto"):
    """The torch device of a name; only ``auto`` falls back to the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        :class:`torch.device`.

    Raises:
        ParameterError: if that device is not there.

    Example:
        >>> device_of("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ParameterError(f"unknown device {name!r}; choose auto, cpu, cuda, cuda:N or mps") from None
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= there.get(device.type, 0):
        raise ParameterError(f"the device {name!r} is not there; use 'auto' to take what is")
    return device
