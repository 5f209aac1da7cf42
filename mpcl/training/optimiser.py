"""What moves the weights: which of them decay, and how far a step may go."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def parameter_groups(
    named: Iterable[tuple[str, Tensor]], weight_decay: float, stacked: int = 0
) -> list[dict[str, Any]]:
    """Groups for an optimiser: what has two or more dimensions decays, other does not.

    Args:
        named: the parameters of a network, or of a stack of them.
        weight_decay: of the first group.
        stacked: leading dimensions that a stack adds to each.

    Example:
        >>> layer = torch.nn.Linear(3, 2)
        >>> groups = parameter_groups(layer.named_parameters(), 0.3)
        >>> [(group["weight_decay"], len(group["params"])) for group in groups]
        [(0.3, 1), (0.0, 1)]
    """
    parameters = [parameter for _, parameter in named]
    decayed = [p for p in parameters if p.dim() - stacked >= 2]
    kept = [p for p in parameters if p.dim() - stacked < 2]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]


class Blocks:
    """All weights of a stack in two tensors: those that decay, and the others.

    So an optimiser moves them in one call each. The blocks (replica, number) hold their
    gradients in ``grad``.

    Attributes:
        groups: for the optimiser, a block each.
        parameters: each (replica, ...), a piece of a block.
        gradients: the pieces of the gradients that belong to them, in the same order.

    Example:
        >>> weights = {"w": torch.ones(2, 3, 4), "b": torch.zeros(2, 4)}
        >>> blocks = Blocks(weights, weight_decay=0.3)
        >>> [group["params"][0].shape for group in blocks.groups]
        [torch.Size([2, 12]), torch.Size([2, 4])]
    """

    def __init__(self, stacked: Mapping[str, Tensor], weight_decay: float) -> None:
        name_of = {id(value): name for name, value in stacked.items()}
        self.groups = parameter_groups(stacked.items(), weight_decay, stacked=1)
        self.groups = [group for group in self.groups if group["params"]]
        self.parameters: dict[str, Tensor] = {}
        self.gradients: list[Tensor] = []
        for group in self.groups:
            flat = [p.detach().reshape(len(p), -1) for p in group["params"]]
            block = torch.cat(flat, 1)
            block.grad = torch.zeros_like(block)
            sizes = [values.shape[1] for values in flat]
            pieces = zip(block.split(sizes, 1), block.grad.split(sizes, 1), strict=True)
            for parameter, (piece, gradient) in zip(
                group["params"], pieces, strict=True
            ):
                leaf = piece.detach().view(parameter.shape).requires_grad_()
                self.parameters[name_of[id(parameter)]] = leaf
                self.gradients.append(gradient.view(parameter.shape))
            group["params"] = [block]

    def blocks(self) -> list[Tensor]:
        """The tensors that hold all weights (replica, number)."""
        return [block for group in self.groups for block in group["params"]]


def clip(gradients: Sequence[Tensor], largest: float, out: Sequence[Tensor]) -> Tensor:
    """Scale the gradients of each replica to a norm of at most ``largest``.

    Args:
        gradients: (replica, ...) of each parameter.
        largest: norm.
        out: where the scaled ones go.

    Returns:
        the norms before (replica,).

    Example:
        >>> gradient, scaled = torch.tensor([[3.0, 4.0], [0.3, 0.4]]), torch.zeros(2, 2)
        >>> clip([gradient], 1.0, out=[scaled]), scaled[:, 0]
        (tensor([5.0000, 0.5000]), tensor([0.6000, 0.3000]))
    """
    norms = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)  # (replica,)
    scale = (largest / norm).clamp_max(1.0)
    for gradient, place in zip(gradients, out, strict=True):
        shape = -1, *[1] * (gradient.dim() - 1)
        torch.mul(gradient, scale.view(shape), out=place)
    return norm
