"""Training: a whole cross-validation, folds x seeds, in one loop that takes each step for all of them at once.

A *replica* is one network: one fold, one seed. See :mod:`mpcl.replicas` for how they stand side by side; a single
network is a stack of one and the code is the same.

The recipe (*our reading*; the paper's is not public): AdamW, one-cycle learning rate, mixup, modality dropout, gradient
clipping, a fixed number of epochs, and the last state is kept.
"""

import contextlib
import dataclasses
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from tqdm import tqdm

from mpcl import checkpoints, splits
from mpcl.batches import inputs
from mpcl.model.network import MPCLConfig, parameter_groups
from mpcl.replicas import Replica, Stack, Windows, clip, same_parameters
from mpcl.settings import ParameterError, Settings, device_of

CHUNK = {"cpu": 40, "mps": 40, "cuda": 300}  # replicas in one stack, unless told otherwise


class TrainingError(RuntimeError):
    """A training run that cannot go on: says whose, where and why."""


@dataclasses.dataclass(frozen=True)
class FitResult:
    """Fitted networks with what their training went through.

    Attributes:
        models: one network a replica; None where it failed.
        configs, folds, seeds: configuration, fold and seed of each replica.
        log: :class:`xarray.Dataset` with ``loss (replica, epoch, term)``, the mean loss terms of each epoch, NaN for
            terms that a replica does not have, and ``validation (replica, epoch)``, the KL of early stopping.
        settings: the settings they were trained with.
        failed: replica to a sentence on why it stopped.
    """

    models: list
    configs: list
    folds: list
    seeds: list
    log: xr.Dataset
    settings: Settings
    failed: dict


def fit(config, dataset, folds, seeds, settings=None, device="auto", progress=False, chunk=None,
        checkpoint=None, resume=False, initial=None, watch=None):
    """Train one network a configuration, fold and seed, together.

    Args:
        config: :class:`mpcl.model.network.MPCLConfig`, or a list of them.
        dataset: a data set that follows the contract; of a fold's held-out windows nothing is read.
        folds: list of folds of :mod:`mpcl.splits`, such as tuples of **training** participants.
        seeds: list of int.
        settings: :class:`mpcl.settings.Settings`; the defaults if None.
        device: see :func:`mpcl.settings.device_of`.
        progress: show one text bar on a terminal.
        chunk: largest number of replicas in one stack; memory grows with it. Halved when memory runs out. By default
            a processor core has a stack of its own, of at most ``CHUNK`` replicas; a graphics card has one.
        checkpoint: folder in which the state of each stack is kept, after each epoch.
        resume: go on from what ``checkpoint`` holds, to the very weights that an undisturbed run gives. A stack is
            found again by its replicas, so call with the same folds, seeds, chunk and number of threads.
        initial: called with each network before its first step, to change it.
        watch: called with (epoch, networks of the stack) before the first epoch, as epoch 0, and after each.

    Returns:
        :class:`FitResult`, replicas ordered by configuration, then fold by fold, seed by seed.

    Raises:
        TrainingError: if the loss of every replica stops being finite, naming fold, seed, epoch and term.
        ParameterError: if the device is not there or lacks the precision, or a checkpoint is of another run.
        DatasetError: if a fold does not fit the data set.

    Example:
        >>> from mpcl.data.catalogue import open_dataset
        >>> dataset = open_dataset("simulated")
        >>> config, few = MPCLConfig.from_dataset(dataset), Settings(epochs=1, batch=512)
        >>> fit(config, dataset, splits.folds(dataset, "participants")[:2], [0, 1], few, "cpu").log.sizes["replica"]
        4
    """
    settings, device = settings or Settings(), device_of(device)
    if device.type == "mps" and settings.precision == "float64":
        raise ParameterError("the device 'mps' has no float64; set precision to float32")
    configs = [config] if isinstance(config, MPCLConfig) else list(config)
    everyone = replicas(configs, dataset, folds, seeds, settings)
    stop = threading.Event()
    with tqdm(total=len(everyone) * settings.epochs, unit="epoch", disable=None if progress else True) as bar:
        def train(numbers):
            """Train the replicas of these numbers in one stack, or in two if memory runs out."""
            try:
                stack = Stack([everyone[n] for n in numbers], settings, device, initial)
                found = _Run(stack, settings, checkpoint, resume).train(bar, watch, stop)
                return dict(zip(numbers, found, strict=True))
            except RuntimeError as error:
                if len(numbers) == 1 or not _is_out_of_memory(error):
                    raise
                half = len(numbers) // 2
                bar.write(f"memory ran out with {len(numbers)} networks in one stack; going on with {half}")
            return train(numbers[:half]) | train(numbers[half:])

        alone = device.type != "cpu" or settings.compile or watch or initial
        with _arithmetic(settings.precision, device):
            done = _side_by_side(train, _chunks(everyone, settings, chunk, device, alone), alone, stop)
    models, logs, reasons = zip(*(done[n] for n in range(len(everyone))), strict=True)
    failed = {n: why for n, why in enumerate(reasons) if why}
    if len(failed) == len(everyone):
        raise TrainingError(failed[0])
    log = xr.concat(logs, xr.IndexVariable("replica", range(len(logs))), join="outer")
    configs, folds, seeds, _ = map(list, zip(*everyone, strict=True))
    return FitResult(list(models), configs, folds, seeds, log, settings, failed)


def replicas(configs, dataset, folds, seeds, settings):
    """All networks of a cross-validation: each configuration with each fold and each seed.

    Args:
        configs: list of :class:`mpcl.model.network.MPCLConfig`.
        dataset, folds, seeds, settings: of :func:`fit`.

    Returns:
        list of :class:`mpcl.replicas.Replica`.
    """
    windows = {fold: Windows.of(dataset, fold, settings) for fold in folds}
    return [Replica(one, fold, seed, windows[fold]) for one in configs for fold in folds for seed in seeds]


def _chunks(replicas, settings, size, device, alone):
    """Which replicas train in one stack: of the same parameters and number of steps, at most ``size``."""
    groups = {}
    for number, replica in enumerate(replicas):
        shape = same_parameters(replica.config), replica.windows.steps(settings)
        groups.setdefault(shape, []).append(number)
    cores = 1 if alone else torch.get_num_threads()
    rounds = -(-len(replicas) // (cores * CHUNK[device.type]))  # so that every core has as many stacks
    size = size or -(-len(replicas) // (cores * rounds))
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


def _side_by_side(train, chunks, alone, stop):
    """Train several stacks at once, a thread a processor core, since a core works best on a stack of its own."""
    cores = torch.get_num_threads()
    if alone or min(cores, len(chunks)) == 1:
        return {number: found for chunk in chunks for number, found in train(chunk).items()}
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                found = list(pool.map(train, chunks))
            except BaseException:
                stop.set()  # a stack that fails, or the user's Ctrl-C, ends the others after their epoch
                raise
    finally:
        torch.set_num_threads(cores)
    return {number: one for part in found for number, one in part.items()}


class _Run:
    """The training of one stack: its optimiser, its log, and what is needed to go on after an interruption."""

    def __init__(self, stack, settings, checkpoint, resume):
        self.stack, self.settings = stack, settings
        self.steps = stack.replicas[0].windows.steps(settings)
        groups = parameter_groups(stack.parameters.items(), settings.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, settings.learning_rate, fused=stack.device.type != "mps")
        self.schedule = (
            torch.optim.lr_scheduler.ConstantLR(self.optimiser, 1.0) if settings.patience else
            torch.optim.lr_scheduler.OneCycleLR(self.optimiser, settings.learning_rate, settings.epochs * self.steps)
        )
        several = len(stack.replicas)
        self.log = {}  # term: (replica, epoch)
        self.validation = np.full((several, settings.epochs), np.nan)
        self.best = {name: value.detach().clone() for name, value in stack.parameters.items()}
        self.epoch = 0
        self.file = None
        if checkpoint:
            self.about = self._about()
            name = hashlib.sha256(repr(self.about["replicas"]).encode()).hexdigest()[:16]
            self.file = Path(checkpoint) / f"{name}.npz"
        if self.file and resume:
            self._restore()

    def train(self, bar, watch, stop):
        """The loop. For each replica its network, its log and, if it failed, why."""
        bar.update(self.epoch * len(self.stack.replicas))
        if watch and self.epoch == 0:
            watch(0, self.stack.networks())
        while self.epoch < self.settings.epochs and not self._finished() and not stop.is_set():
            with torch.autocast(self.stack.device.type, torch.bfloat16, self.settings.precision == "bfloat16"):
                means = self.train_epoch()
            self._record(means)
            if watch:
                watch(self.epoch, self.stack.networks())
            bar.set_postfix_str(f"loss {means['total'].nanmean():.3f}", refresh=False)
            bar.update(len(self.stack.replicas))
        return self._results()

    def train_epoch(self):
        """One pass over the training windows of every replica; the mean loss terms (replica,)."""
        stack, means = self.stack, {}
        drawn = stack.draw(self.epoch)
        for step in range(self.steps):
            terms = stack.losses(drawn, step)  # (replica,) each
            self.optimiser.zero_grad()
            terms["total"].sum().backward()  # nothing is shared: each replica gets the gradient of its own total
            clip(stack.parameters.values(), self.settings.clip)
            self.optimiser.step()
            self.schedule.step()
            means = {name: means.get(name, 0) + value.detach() / self.steps for name, value in terms.items()}
        return means

    def _record(self, means):
        """Log an epoch, look at the validation participants, and keep the state."""
        for name, value in means.items():
            empty = np.full_like(self.validation, np.nan)
            self.log.setdefault(name, empty)[:, self.epoch] = value.double().cpu().numpy()
        if self.settings.patience:
            self._validate()
        self.epoch += 1
        if self.file:
            self._keep()

    def _validate(self):
        """Note the KL on each replica's validation participants, and keep the weights that were best so far."""
        scores = self.validation
        for number, model in enumerate(self.stack.networks()):
            windows, settings = self.stack.replicas[number].windows, self.settings
            data = inputs(windows.validation, windows.training, model.config, settings)
            with torch.no_grad():
                terms = model.losses(model(data.features, data.present), data.target)
            scores[number, self.epoch] = terms["kl"].item()
        before = np.min(scores[:, : self.epoch], axis=1, initial=np.inf)
        better = torch.as_tensor(scores[:, self.epoch] < before, device=self.stack.device)
        for name, value in self.stack.parameters.items():
            self.best[name][better] = value.detach()[better]

    def _finished(self):
        """Whether no replica can go on, or all have seen their best validation KL long enough ago."""
        if self.epoch == 0:
            return False
        failed = all(self._failure(number) for number in range(len(self.stack.replicas)))
        best = np.nan_to_num(self.validation[:, : self.epoch], nan=np.inf).argmin(1)  # epoch of each replica
        return failed or 0 < self.settings.patience <= (self.epoch - 1 - best).min()

    def _failure(self, number):
        """Why a replica cannot go on, or nothing."""
        replica = self.stack.replicas[number]
        losses = self._loss(number)[: self.epoch]
        for epoch, term in np.argwhere(~np.isfinite(losses.values) & losses.term.isin(self._terms(replica)).values):
            name, value = str(losses.term.values[term]), losses.values[epoch, term]
            return (f"the loss term {name!r} is {value} in epoch {epoch + 1}, seed {replica.seed}, "
                    f"{splits.label(replica.fold)}; try a smaller learning rate")
        if not all(torch.isfinite(value[number]).all() for value in self.stack.parameters.values()):
            return (f"the weights are not finite after epoch {self.epoch}, seed {replica.seed}, "
                    f"{splits.label(replica.fold)}; try a smaller learning rate")
        return ""

    def _terms(self, replica):
        return [name for name in self.log if name != "relation" or replica.config.distillation]

    def _loss(self, number):
        """The log of a replica (epoch, term); NaN where it does not have a term."""
        values = np.stack([self.log[name][number] for name in self.log], 1)
        epochs = np.arange(1, self.settings.epochs + 1)
        loss = xr.DataArray(values, dims=("epoch", "term"), coords={"epoch": epochs, "term": list(self.log)})
        return loss.where(loss.term.isin(self._terms(self.stack.replicas[number])))

    def _results(self):
        reasons = [self._failure(number) for number in range(len(self.stack.replicas))]
        if self.settings.patience:
            with torch.no_grad():
                for name, value in self.stack.parameters.items():
                    value.copy_(self.best[name])
        logs = [xr.Dataset({"loss": self._loss(number), "validation": ("epoch", self.validation[number])})
                for number in range(len(reasons))]
        models = [None if why else model for model, why in zip(self.stack.networks(), reasons, strict=True)]
        return list(zip(models, logs, reasons, strict=True))

    def _about(self):
        """What a checkpoint belongs to: replicas, settings and training windows."""
        digest = hashlib.sha256()
        for value in self.stack.inputs[:3]:
            digest.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
        replicas = [[dataclasses.asdict(r.config), splits.text(r.fold), r.seed] for r in self.stack.replicas]
        return {"replicas": replicas, "settings": dataclasses.asdict(self.settings), "data": digest.hexdigest()}

    def _state(self):
        """Every tensor that training changes, by name: weights, their best, and the two moments of the optimiser."""
        state = {}
        for name, value in self.stack.parameters.items():
            moments = self.optimiser.state[value]
            state |= {f"weight/{name}": value.detach(), f"best/{name}": self.best[name]}
            state |= {f"{key}/{name}": moments[key] for key in ("exp_avg", "exp_avg_sq")}
        return state

    def _keep(self):
        arrays = {name: value.cpu().numpy() for name, value in self._state().items()}
        arrays |= {f"log/{name}": values for name, values in self.log.items()}
        arrays |= {"epoch": self.epoch, "validation": self.validation}
        checkpoints.save(self.file, arrays, self.about)

    def _restore(self):
        """Go back to the last checkpoint; random numbers need none, since they are keyed by the step."""
        try:
            arrays = checkpoints.load(self.file, self.about)
        except ValueError as error:
            raise ParameterError(str(error)) from error
        if arrays is None:
            return
        self.epoch, self.validation = int(arrays["epoch"]), arrays["validation"]
        self.log = {name.removeprefix("log/"): values for name, values in arrays.items() if name.startswith("log/")}
        steps = self.epoch * self.steps
        for value in self.stack.parameters.values():
            zero = torch.zeros_like(value, requires_grad=False)
            step = torch.tensor(float(steps), device=value.device)
            self.optimiser.state[value] = {"step": step, "exp_avg": zero, "exp_avg_sq": zero.clone()}
        with torch.no_grad():
            for name, value in self._state().items():
                value.copy_(torch.from_numpy(arrays[name]))
        if self.epoch < self.settings.epochs:
            self.schedule.last_epoch, self.schedule._step_count = steps - 1, steps + 1
            self.schedule.step()


@contextlib.contextmanager
def _arithmetic(precision, device):
    """Matrix products of a precision; on a graphics card also with algorithms that give the same twice."""
    before, strict = torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.use_deterministic_algorithms(strict or device.type == "cuda", warn_only=True)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.use_deterministic_algorithms(strict)


def _is_out_of_memory(error):
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def predict(model, dataset, training, settings=None, device="cpu"):
    """Predicted emotion distributions of windows that need no labels.

    A network that reads trials recalls each from all of its windows that are in ``dataset``, and says the same of all
    of them; where each window comes alone, it is a trial of its own.

    Args:
        model: a fitted network.
        dataset: the windows to predict.
        training: the windows that the model was trained on (their statistics serve ``inductive``).
        settings: the :class:`mpcl.settings.Settings` of the training.
        device: where to compute.

    Returns:
        array (window, emotion), each row summing to one.
    """
    settings, device = settings or Settings(), device_of(device)
    data = inputs(dataset, training, model.config, settings, device)
    with torch.no_grad():
        return model.to(device)(data.features, data.present).distribution.cpu().numpy()[data.trial]
