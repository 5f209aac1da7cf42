"""Multi-scale associative memory: one token a modality, and what each branch's memory adds to it.

The abstract says that physiological and behavioural signals are fused by a multi-scale associative
memory; tokens, stored patterns, scales and gate are our reading. No layer norm here has a gain or a
bias: the linear map after it would absorb them.
"""

import torch
import torch.nn.functional as F
from torch import nn

from mpcl.model.memory import retrieve


class ModalityTokens(nn.Module):
    """A linear token a modality, t_m = x_m W_m + b_m, or a learned token where it is missing (our reading).

    Tokens are laid out by branch, so that both branches are computed at once; a branch with fewer modalities
    than the other has empty slots at its end, which are zero and count as missing.

    Args:
        features: number of features of each modality (M).
        branch: index of the branch of each modality (M), starting at 0.
        width: D.
        generator: source of the initial weights.

    Example:
        >>> tokens = ModalityTokens((3, 2), (0, 0), 4, torch.Generator())
        >>> tokens(torch.ones(5, 5), torch.ones(5, 2, dtype=torch.bool))[0].shape
        torch.Size([5, 1, 2, 4])
    """

    def __init__(self, features, branch, width, generator):
        super().__init__()
        self.features = tuple(features)
        self.sizes = [list(branch).count(b) for b in range(max(branch) + 1)]  # modalities of each branch
        members = [[m for m, b in enumerate(branch) if b == own] for own in range(len(self.sizes))]
        empty = len(self.features)  # the index of the zero token behind the last modality
        slots = [own + [empty] * (max(self.sizes) - len(own)) for own in members]
        modality = torch.arange(empty).repeat_interleave(torch.tensor(self.features))
        self.register_buffer("slots", torch.tensor(slots), persistent=False)  # (branch, slot)
        self.register_buffer("modality", modality, persistent=False)  # of each feature
        self.weights = nn.ParameterList(torch.randn(n, width, generator=generator) / n**0.5 for n in self.features)
        self.bias = nn.Parameter(torch.randn(empty, width, generator=generator) / 10)
        self.missing = nn.Parameter(torch.randn(empty, width, generator=generator))

    def forward(self, x, present):
        """Tokens by branch, and which of them were measured.

        Args:
            x: features of all modalities side by side (B, F), z-scored.
            present: bool (B, M); whatever stands in the features of a missing modality has no effect.

        Returns:
            tokens (B, branch, slot, D) and present (B, branch, slot).
        """
        x = torch.where(present.index_select(1, self.modality), x, 0.0)
        parts = zip(x.split(self.features, 1), self.weights, strict=True)
        tokens = torch.stack([part @ weight for part, weight in parts], 1)  # (batch, modality, width)
        tokens = torch.where(present[..., None], tokens + self.bias, self.missing)
        layout, slots = self.slots.shape, self.slots.flatten()
        tokens = F.pad(tokens, (0, 0, 0, 1)).index_select(1, slots).unflatten(1, layout)
        return tokens, F.pad(present, (0, 1)).index_select(1, slots).unflatten(1, layout)


class MultiScaleMemory(nn.Module):
    """Each token retrieves at several inverse temperatures from its branch and from learned patterns (our reading).

    Stored patterns are Y = [tokens of the same branch that are present; N learned patterns]; with queries, keys and
    values projected per branch, H_s = softmax(beta_s Q K^T / sqrt D) V, all scales in one call; a gate
    g = softmax(LN(t) W_g) per token mixes them, and t' = LN(t + sum_s g_s H_s).

    Args:
        branches: number of branches.
        width: D.
        memories: N, learned patterns a branch.
        betas: S inverse temperatures to start from; they are learned.
        generator: source of the initial weights.
    """

    def __init__(self, branches, width, memories, betas, generator):
        super().__init__()
        self.gates = len(betas) if len(betas) > 1 else 0  # one scale needs no gate
        columns = 3 * width + self.gates
        self.patterns = nn.Parameter(torch.randn(branches, memories, width, generator=generator))
        self.weight = nn.Parameter(torch.randn(branches, width, columns, generator=generator) / width**0.5)
        self.log_beta = nn.Parameter(torch.tensor(betas).log())

    def forward(self, tokens, present, dropout=None, explain=False):
        """Tokens with what their branch's memory adds, and the weights of the retrieval.

        Args:
            tokens: (B, branch, slot, D).
            present: bool (B, branch, slot); other tokens are never retrieved.
            dropout: mask for what is retrieved (B, branch, slot, D), or None.
            explain: also return the retrieval weights, which cost a second call.

        Returns:
            tokens (B, branch, slot, D); weights (S, B, branch, slot, slot + N) or None.
        """
        width, learned = tokens.shape[-1], self.patterns.shape[1]
        state = F.layer_norm(tokens, (width,))
        projected = torch.einsum("bksd,kde->bkse", state, self.weight)
        query, key, value, gate = projected.split((width, width, width, self.gates), -1)
        stored = F.layer_norm(self.patterns, (width,)) @ self.weight[..., width : 3 * width]
        stored = stored.expand(len(tokens), -1, -1, -1)  # (batch, branch, memory, key and value)
        keys = torch.cat([key, stored[..., :width]], 2)  # (batch, branch, slot + memory, width)
        values = torch.cat([value, stored[..., width:]], 2)
        beta, mask = self.log_beta.exp() / width**0.5, F.pad(present, (0, learned), value=True)
        found = retrieve(query, keys, beta, values, mask)  # (scale, batch, branch, slot, width)
        if self.gates:
            found = torch.einsum("sbktd,bkts->bktd", found, gate.softmax(-1))
        else:
            found = found[0]
        tokens = F.layer_norm(tokens + (found if dropout is None else found * dropout), (width,))
        if not explain:
            return tokens, None
        names = torch.eye(keys.shape[2], dtype=keys.dtype, device=keys.device)
        return tokens, retrieve(query, keys, beta, names, mask)


class BranchSummary(nn.Module):
    """One vector a branch: h = LN([t_1; t_2; ..] W), over the tokens of that branch (our reading).

    Args:
        sizes: number of modalities of each branch.
        width: D.
        generator: source of the initial weights.
    """

    def __init__(self, sizes, width, generator):
        super().__init__()
        self.sizes = tuple(sizes)
        draws = [torch.randn(n * width, width, generator=generator) / (n * width) ** 0.5 for n in self.sizes]
        self.weights = nn.ParameterList(draws)

    def forward(self, tokens):
        """Summaries (B, branch, D) of tokens (B, branch, slot, D); empty slots are left out."""
        flat = concatenated(tokens, self.sizes)
        summary = torch.stack([part @ weight for part, weight in zip(flat, self.weights, strict=True)], 1)
        return F.layer_norm(summary, summary.shape[-1:])


def concatenated(tokens, sizes):
    """The tokens of each branch side by side, without the empty slots.

    Args:
        tokens: (B, branch, slot, D).
        sizes: number of modalities of each branch.

    Returns:
        list of tensors (B, size * D), one a branch.

    Example:
        >>> [part.shape[1] for part in concatenated(torch.zeros(7, 2, 3, 4), (3, 1))]
        [12, 4]
    """
    return [tokens[:, branch, :size].flatten(1) for branch, size in enumerate(sizes)]
