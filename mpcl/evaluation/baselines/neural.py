"""One seeded training loop for all networks that MPCL is measured beside, and two plain ones.

The budget is MPCL's: as many epochs and windows in a batch, AdamW, a one-cycle learning rate, mixup, modality
dropout, gradient clipping, and the last state (there is no early stopping here). A network of a baseline takes
:class:`About` and its own parameters, maps features (window, feature) and presence (window, modality) to logits, and
has a ``loss`` of these and the target.
"""

from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mpcl.evaluation.baselines.inputs import inputs, key, measured, trial_weights
from mpcl.settings import Settings
from mpcl.training import TrainingError

OWN = {"learning_rate", "weight_decay", "mixup", "modality_dropout", "clip"}  # settings that are tuned for each method


class About(NamedTuple):
    """What a network knows of the training windows before it is trained.

    Attributes:
        sizes: number of features of each modality.
        branches: branch of each modality.
        prior: mean label (emotion,), each trial counting alike, with 1e-3 added to each emotion.
        correlation: of log-labels (emotion, emotion), 0 where a label is constant.
    """

    sizes: tuple
    branches: tuple
    prior: torch.Tensor
    correlation: torch.Tensor


class Neural:
    """A network behind the interface of all baselines; on the processor, with one thread.

    Args:
        network: its class, such as :class:`Perceptron`.
        seed: int.
        settings: :class:`mpcl.settings.Settings`; the defaults if None.
        hyper: the network's own parameters, and settings that this method overrides, such as ``learning_rate``.

    Example:
        >>> from mpcl.data.simulated import cohort
        >>> dataset, settings = cohort(participants=3, clips=4, windows=2), Settings(epochs=1)
        >>> Neural(Perceptron, 0, settings).fit(dataset).predict(dataset.drop_vars("distribution")).shape
        (24, 10)
    """

    def __init__(self, network, seed=0, settings=None, **hyper):
        own = {name: hyper.pop(name) for name in OWN & hyper.keys()}
        self.kind, self.seed, self.hyper = network, seed, hyper
        self.settings = replace(settings or Settings(), **own)

    def fit(self, training):
        """Train a new network on the training windows; returns itself."""
        self.training, number = training, key(training, self.seed)
        features, present = self._tensors(training)
        with seeded(*number):
            self.network = self.kind(about(training), **self.hyper).to(features.dtype)
        target = torch.as_tensor(training.distribution.transpose("window", "emotion").values).to(features)
        sizes = torch.tensor(about(training).sizes)
        train(self.network, (features, present, target), sizes, trial_weights(training), self.settings, number)
        return self

    def predict(self, test):
        """Distributions (window, emotion) of windows that need no labels."""
        self.network.eval()
        with torch.no_grad(), seeded(self.seed):
            return self.network(*self._tensors(test)).softmax(1).double().numpy()

    def _tensors(self, dataset):
        features, present = inputs(dataset, self.training, self.settings.normalisation)
        dtype = torch.float64 if self.settings.precision == "float64" else torch.float32
        return torch.as_tensor(features, dtype=dtype), torch.as_tensor(present)


def train(network, data, sizes, weight, settings, number):
    """Fit a network; every random number depends on ``number`` and the step alone.

    Args:
        network: module with ``loss(features, present, target)``; changed in place.
        data: tensors features (window, feature), present (window, modality), target (window, emotion).
        sizes: number of features of each modality (modality,).
        weight: of each window, array (window,).
        settings: :class:`mpcl.settings.Settings`.
        number: tuple of int, the key of the random numbers.

    Raises:
        TrainingError: if the loss is no longer finite.
    """
    steps = max(1, round(len(weight) / settings.batch))
    decayed = [p for name, p in network.named_parameters() if p.ndim > 1 and name.endswith("weight")]
    kept = [p for name, p in network.named_parameters() if not (p.ndim > 1 and name.endswith("weight"))]
    groups = [{"params": decayed}, {"params": kept, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.epochs * steps)
    network.train()
    for epoch in range(settings.epochs):
        rows = epoch_rows(weight, np.random.default_rng((*number, epoch)))
        for step, batch in enumerate(np.array_split(rows, steps), epoch * steps):
            random = np.random.default_rng((*number, 1, step))
            with seeded(*number, step):
                loss = network.loss(*mixed(data, sizes, batch, settings, random))
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
                optimiser.step()
                schedule.step()
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss of {type(network).__name__} is {loss.item()} in epoch {epoch + 1}, "
                                f"seed {number[0]}; try a smaller learning rate")


def epoch_rows(weight, random):
    """The windows of an epoch, as many as there are, drawn so that trials count alike (systematic resampling).

    Args:
        weight: of each window, array (window,).
        random: :class:`numpy.random.Generator`.

    Returns:
        int array (window,); with equal weights each window once.

    Example:
        >>> sorted(epoch_rows(np.ones(4), np.random.default_rng(0)).tolist())
        [0, 1, 2, 3]
    """
    places = (np.arange(len(weight)) + random.random()) * weight.sum() / len(weight)
    rows = np.searchsorted(weight.cumsum(), places, side="right").clip(max=len(weight) - 1)
    return random.permutation(rows)


def mixed(data, sizes, rows, settings, random):
    """One batch: pairs of windows mixed, some modalities withheld, though never all that a window has.

    Args:
        data, sizes: see :func:`train`.
        rows: int array of the rows of this batch.
        settings: :class:`mpcl.settings.Settings`.
        random: :class:`numpy.random.Generator`.

    Returns:
        tuple (features, present, target) of the batch.
    """
    features, present, target = data
    others = rows[random.permutation(len(rows))]
    share = random.beta(settings.mixup, settings.mixup, len(rows)) if settings.mixup else np.ones(len(rows))
    share = torch.as_tensor(share).to(target)[:, None]  # (batch, 1)
    there = present[rows] | (present[others] & (share < 1))
    kept = there & torch.as_tensor(random.random(there.shape) >= settings.modality_dropout)
    kept = torch.where(kept.any(1, keepdim=True), kept, there)
    features, target = (share * values[rows] + (1 - share) * values[others] for values in (features, target))
    return features * kept.repeat_interleave(sizes, 1), kept, target


def about(training):
    """What a network knows of its training windows, :class:`About`."""
    names, weight = measured(training), trial_weights(training)
    labels = training.distribution.transpose("window", "emotion").values.astype(float)
    logs = np.log((labels + 1e-3) / (labels + 1e-3).sum(1, keepdims=True))
    covariance = np.cov(logs.T, aweights=weight)
    deviation = np.sqrt(np.diag(covariance))
    deviation = np.where(deviation > 1e-6, deviation, np.inf)
    prior = weight @ labels / weight.sum() + 1e-3
    return About(tuple(training[name].shape[1] for name in names), tuple(training[name].branch for name in names),
                 torch.as_tensor(prior / prior.sum()), torch.as_tensor(covariance / deviation / deviation[:, None]))


@contextmanager
def seeded(*number):
    """Draw torch's random numbers on the processor from this key, with one thread; then all is as it was before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(np.random.SeedSequence(number).generate_state(1)[0]))
            yield
    finally:
        torch.set_num_threads(threads)


def kl(logits, target):
    """Mean KL(target || softmax(logits)) in nats.

    Example:
        >>> float(kl(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]])))
        0.0
    """
    return (torch.xlogy(target, target) - target * F.log_softmax(logits, 1)).sum(1).mean()


def head(width, prior):
    """A linear map to logits that starts near the mean label."""
    layer = nn.Linear(width, len(prior))
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.copy_(prior.log())
    return layer


class Tokens(nn.Module):
    """A linear map a modality to a token; a missing modality becomes a learned token.

    Args:
        sizes: number of features of each modality.
        width: of a token.
    """

    def __init__(self, sizes, width):
        super().__init__()
        self.sizes = sizes
        self.maps = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.missing = nn.Parameter(torch.zeros(len(sizes), width))

    def forward(self, features, present):
        """Tokens (window, modality, width) of features (window, feature) that are present (window, modality)."""
        parts = zip(self.maps, features.split(self.sizes, 1), strict=True)
        return torch.where(present[..., None], torch.stack([to(part) for to, part in parts], 1), self.missing)


class Perceptron(nn.Module):
    """Two hidden layers on all features side by side.

    Args:
        about: :class:`About`.
        width: of the hidden layers.
        dropout: share of hidden units dropped.
    """

    def __init__(self, about, width=128, dropout=0.3):
        super().__init__()
        inputs = sum(about.sizes) + len(about.sizes)
        self.hidden = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Dropout(dropout),
                                    nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout))
        self.head = head(width, about.prior)

    def forward(self, features, present):
        """Logits (window, emotion)."""
        return self.head(self.hidden(torch.cat([features, present.to(features)], 1)))

    def loss(self, features, present, target):
        """Mean KL divergence."""
        return kl(self(features, present), target)


class Transformer(nn.Module):
    """A plain transformer encoder over one token a modality.

    Args:
        about: :class:`About`.
        width: of a token, a multiple of 4, the number of heads.
        layers: of the encoder.
        dropout: share of what each sublayer adds that is dropped.
    """

    def __init__(self, about, width=48, layers=1, dropout=0.3):
        super().__init__()
        self.tokens = Tokens(about.sizes, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.dropout, self.head = nn.Dropout(dropout), head(len(about.sizes) * width, about.prior)

    def forward(self, features, present):
        """Logits (window, emotion)."""
        encoded = self.encoder(self.tokens(features, present))  # (window, modality, width)
        return self.head(self.dropout(encoded.flatten(1)))

    def loss(self, features, present, target):
        """Mean KL divergence."""
        return kl(self(features, present), target)
