"""Training: from a data set and its folds to fitted networks and their predictions.

A *replica* is one network: one fold, one seed. Its numbers depend on (seed, fold, step) alone, not
on which replicas are trained beside it or on the device: every random number is drawn on the CPU
from a generator keyed by these three. A graphics card may still round differently.

The recipe (*our reading*; the paper's is not public): AdamW, one-cycle learning rate, mixup,
modality dropout, gradient clipping, a fixed number of epochs, and the last state is kept.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from tqdm import tqdm

from mpcl.model.network import MPCL, MPCLConfig, parameter_groups
from mpcl.normalisation import standardise
from mpcl.settings import ParameterError, Settings, device_of
from mpcl.splits import part


class TrainingError(RuntimeError):
    """A training run that cannot go on: says whose, where and why."""


@dataclass(frozen=True)
class FitResult:
    """Fitted networks with what their training went through.

    Attributes:
        models: one network a replica.
        folds: the training participants of each replica.
        seeds: the seed of each replica.
        log: :class:`xarray.DataArray` (replica, epoch, term), the mean loss terms of each epoch.
        settings: the settings they were trained with.
    """

    models: list
    folds: list
    seeds: list
    log: xr.DataArray
    settings: Settings


def fit(config, dataset, folds, seeds, settings=None, device="auto", progress=False):
    """Train one network a fold and seed.

    Args:
        config: :class:`mpcl.model.network.MPCLConfig`.
        dataset: a data set that follows the contract; of a fold's held-out participants nothing is read.
        folds: list of tuples of **training** participants.
        seeds: list of int.
        settings: :class:`Settings`; the defaults if None.
        device: see :func:`device_of`.
        progress: show one text bar on a terminal.

    Returns:
        :class:`FitResult`, replicas ordered fold by fold, seed by seed.

    Raises:
        TrainingError: if a loss is no longer finite, naming fold, seed, epoch and term.
        ParameterError: if the device is not there, or lacks the precision.
        DatasetError: if a fold names unknown participants or holds nobody out.
    """
    settings, device = settings or Settings(), device_of(device)
    if device.type == "mps" and settings.precision == "float64":
        raise ParameterError("the device 'mps' has no float64; set precision to float32")
    replicas = [(fold, seed) for fold in folds for seed in seeds]
    bar = tqdm(total=len(replicas) * settings.epochs, unit="epoch", disable=None if progress else True)
    with bar:
        fitted = [_fit_one(config, part(dataset, fold)[0], fold, seed, settings, device, bar)
                  for fold, seed in replicas]
    models, logs = zip(*fitted, strict=True)
    log = xr.concat(logs, xr.IndexVariable("replica", np.arange(len(logs))))
    return FitResult(list(models), [fold for fold, _ in replicas], [seed for _, seed in replicas], log, settings)


def _fit_one(config, training, fold, seed, settings, device, bar):
    """The loop that the chapter on training reads line by line: one network, one fold, one seed."""
    key = (seed, zlib.crc32("\0".join(fold).encode()))
    data = _tensors(training, training, config, settings, device)
    target = torch.as_tensor(training.distribution.values, dtype=getattr(torch, settings.precision), device=device)
    model = MPCL.from_dataset(training, _generator(*key, 0), **vars(config)).to(device, target.dtype)
    steps = max(1, round(training.sizes["window"] / settings.batch))
    optimiser = torch.optim.AdamW(parameter_groups(model, settings.weight_decay), settings.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.epochs * steps)
    trials = np.unique(training.trial.values.astype(str), return_inverse=True)[1]
    log = []
    for epoch in range(settings.epochs):
        sums = {}
        for step in range(epoch * steps, (epoch + 1) * steps):
            random = np.random.default_rng((*key, step))
            batch = mixed_batch(data, target, balanced_rows(trials, settings.batch, random), settings, random)
            terms = model.losses(model(*batch[:2], generator=_generator(*key, 1 + step)), batch[2])
            optimiser.zero_grad()
            terms["total"].backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            schedule.step()
            sums = {name: sums.get(name, 0) + value.detach() / steps for name, value in terms.items()}
        log.append([_finite(name, value.item(), fold, seed, epoch) for name, value in sums.items()])
        bar.update()
        bar.set_postfix_str(f"loss {log[-1][list(sums).index('total')]:.3f}", refresh=False)
    coords = {"epoch": np.arange(1, settings.epochs + 1), "term": list(sums)}
    return model, xr.DataArray(log, dims=("epoch", "term"), coords=coords, name="loss")


def balanced_rows(trials, count, random):
    """Draw windows so that every trial counts alike, however many windows it has.

    Args:
        trials: int array (window,), the trial of each window.
        count: number of rows to draw.
        random: :class:`numpy.random.Generator`.

    Returns:
        int array (count,) of rows; no trial is drawn twice before all were drawn once.

    Example:
        >>> rows = balanced_rows(np.array([0, 0, 0, 1]), 4, np.random.default_rng(0))
        >>> int((rows == 3).sum())
        2
    """
    order = np.argsort(trials, kind="stable")
    windows = np.bincount(trials)  # (trial,)
    first = np.concatenate([[0], np.cumsum(windows)[:-1]])
    rounds = -(-count // len(windows))
    drawn = np.concatenate([random.permutation(len(windows)) for _ in range(rounds)])[:count]
    return order[first[drawn] + (random.random(count) * windows[drawn]).astype(int)]


def mixed_batch(data, target, rows, settings, random):
    """One batch: pairs of windows mixed, some modalities withheld.

    Mixup (Zhang et al., 2018) takes a Beta-distributed share of one window and the rest of another,
    of their features and of their distributions alike. What is missing in both stays missing. A
    window keeps at least one modality.

    Args:
        data: features and presence of all training windows.
        target: distributions (window, emotion).
        rows: int array of the rows of this batch.
        settings: :class:`Settings`.
        random: :class:`numpy.random.Generator`.

    Returns:
        tuple (features, present, target) of the batch.
    """
    others = rows[random.permutation(len(rows))]
    share = random.beta(settings.mixup, settings.mixup, len(rows)) if settings.mixup else np.ones(len(rows))
    share = torch.as_tensor(share, dtype=target.dtype, device=target.device)[:, None]  # (batch, 1)

    def mix(values):
        return share * values[rows] + (1 - share) * values[others]

    present = data.present[rows] | (data.present[others] & (share < 1))  # (batch, modality)
    kept = torch.as_tensor(random.random(present.shape) >= settings.modality_dropout, device=target.device)
    kept = present & (kept | ~(present & kept).any(1, keepdim=True))
    return {name: mix(values) for name, values in data.features.items()}, kept, mix(target)


def predict(model, dataset, training, settings=None, device="cpu"):
    """Predicted emotion distributions of windows that need no labels.

    Args:
        model: a fitted network.
        dataset: the windows to predict.
        training: the windows that the model was trained on (their statistics serve ``inductive``).
        settings: the :class:`Settings` of the training.
        device: where to compute.

    Returns:
        array (window, emotion), each row summing to one.
    """
    settings, device = settings or Settings(), device_of(device)
    data = _tensors(dataset, training, model.config, settings, device)
    with torch.no_grad():
        return model.to(device)(data.features, data.present).distribution.cpu().numpy()


def _tensors(dataset, training, config: MPCLConfig, settings, device):
    standard = standardise(dataset, training, settings.normalisation)
    names = [name for name, _, _ in config.modalities]
    columns = [list(standard.features).index(name) for name in names]
    dtype = getattr(torch, settings.precision)
    features = {name: torch.as_tensor(standard.features[name], dtype=dtype, device=device) for name in names}
    return standard._replace(
        features=features, present=torch.as_tensor(standard.present[:, columns], device=device)
    )


def _generator(*key):
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _finite(term, value, fold, seed, epoch):
    if not np.isfinite(value):
        raise TrainingError(
            f"the loss term {term!r} is {value} in epoch {epoch + 1}, seed {seed}, training on "
            f"{len(fold)} participants ({fold[0]} to {fold[-1]}); try a smaller learning rate"
        )
    return value
