"""How a network is trained, and where, checked before anything runs."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from mpcl.errors import ParameterError
from mpcl.model.config import is_number, is_whole
from mpcl.normalisation import WAYS

if TYPE_CHECKING:  # whoever only needs the settings waits for no torch
    import torch

PRECISIONS = ("float64", "float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """How a network is trained; the defaults are the full profile's, but in float64.

    Attributes:
        epochs: passes over the training windows; each draws as many windows as there
            are, so that every trial counts alike.
        batch: windows in a batch.
        moments: of these windows, how many are drawn of one trial, where a network
            reads trials.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of what :func:`mpcl.training.optimiser.parameter_groups` lets
            decay.
        mixup: parameter a of the Beta(a, a) by which pairs of windows are mixed; 0 for
            none.
        modality_dropout: probability that a modality is withheld from a window; where
            all would be, one of them is kept.
        clip: largest norm of the gradient.
        normalisation: ``transductive``, ``inductive`` or ``running``, see
            :mod:`mpcl.normalisation`.
        precision: ``float64`` (the book: same digits everywhere), ``float32``, or,
            where the device has units for them, ``tf32`` and ``bfloat16`` (weights stay
            float32).
        compile: let torch.compile fuse the step; pays on long runs only, and needs a
            C++ compiler.
        patience: epochs without a better validation KL after which a replica stops
            (early stopping; its learning rate is constant, a fifth of its training
            participants validate); 0 trains all epochs and keeps the last state.

    Raises:
        ParameterError: with a sentence for each that is not valid.

    Example:
        >>> Settings(epochs=2.5)
        Traceback (most recent call last):
        mpcl.errors.ParameterError: epochs must be a whole number, not 2.5
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

    def __post_init__(self) -> None:
        violations = [
            _violation(field.name, field.type, getattr(self, field.name))
            for field in fields(self)
        ]
        if any(violations):
            raise ParameterError("; ".join(filter(None, violations)))

    @property
    def dtype(self) -> "torch.dtype":
        """Of weights and inputs."""
        import torch

        return torch.float64 if self.precision == "float64" else torch.float32


CHOICES = {
    "normalisation": WAYS,
    "precision": PRECISIONS,
    "compile": (False, True),
}


def _violation(name: str, kind: object, value: object) -> str:
    """What is wrong with the value of a setting, or nothing."""
    if name in CHOICES:
        choices = " or ".join(map(str, CHOICES[name]))
        right = value in CHOICES[name]
        return "" if right else f"{name} must be {choices}, not {value!r}"
    if kind is int and not is_whole(value):
        return f"{name} must be a whole number, not {value!r}"
    if not is_number(value):
        return f"{name} must be a finite number, not {value!r}"
    least = 1 if name in ("epochs", "batch", "moments") else 0
    if value < least:
        return f"{name} must be at least {least}, not {value!r}"
    if name == "modality_dropout" and value > 1:
        return f"{name} is a probability: it must be at most 1, not {value!r}"
    return ""


def device_of(name: str = "auto") -> "torch.device":
    """The torch device of a name; only ``auto`` falls back to the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        ParameterError: if the machine has no such device.

    Example:
        >>> device_of("cpu")
        device(type='cpu')
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ParameterError(
            f"unknown device {name!r}; choose auto, cpu, cuda, cuda:N or mps"
        ) from None
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= counts.get(device.type, 0):
        raise ParameterError(
            f"the device {name!r} is not there; use 'auto' to take what is"
        )
    return device
