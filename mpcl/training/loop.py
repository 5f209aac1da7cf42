"""Training: a whole cross-validation, each step taken for all of its networks at once.

A *replica* is one network: one fold, one seed. See :mod:`mpcl.training.stack` for how
they stand side by side; a single network is a stack of one and the code is the same.

The recipe (*our reading*; the paper's is not public): AdamW, one-cycle learning rate,
mixup, modality dropout, gradient clipping, a fixed number of epochs, and the last state
is kept.
"""

import contextlib
import copy
import ctypes
import dataclasses
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR
from tqdm import tqdm

from mpcl import files
from mpcl.errors import ParameterError, TrainingError
from mpcl.splits import Fold
from mpcl.training.batches import Draw, NetworkConfig, inputs
from mpcl.training.settings import Settings, device_of
from mpcl.training.stack import Replica, Stack, Windows

CHUNK = {"cpu": 40, "mps": 40, "cuda": 300}  # replicas in a stack, unless chosen
REMEDY = "try a smaller learning rate"
Watch = Callable[[int, list[nn.Module]], object]


@dataclasses.dataclass(frozen=True)
class FitResult:
    """Fitted networks with what their training went through.

    Attributes:
        models: one network a replica; None where it failed.
        configs, folds, seeds: of each replica.
        log: ``loss (replica, epoch, term)``, the mean loss terms of each epoch, NaN for
            terms that a replica does not have, and ``validation (replica, epoch)``, the
            KL of early stopping.
        settings: of the training.
        failed: replica to a sentence on why it stopped.
    """

    models: list[nn.Module | None]
    configs: list[NetworkConfig]
    folds: list[Fold]
    seeds: list[int]
    log: xr.Dataset
    settings: Settings
    failed: dict[int, str]


class Trained(NamedTuple):
    """What became of one replica."""

    model: nn.Module | None
    log: xr.Dataset
    failure: str


def fit(
    config: NetworkConfig | Sequence[NetworkConfig],
    dataset: xr.Dataset,
    folds: Sequence[Fold],
    seeds: Sequence[int],
    settings: Settings | None = None,
    device: str = "auto",
    progress: bool = False,
    chunk: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    initial: Callable[[nn.Module], object] | None = None,
    watch: Watch | None = None,
) -> FitResult:
    """Train one network a configuration, fold and seed, together.

    Args:
        config: one, or several.
        dataset: of a fold's held-out windows nothing is read.
        folds: of this data set.
        seeds: of the networks.
        settings: the defaults if None.
        device: see :func:`mpcl.training.settings.device_of`.
        progress: show one text bar on a terminal.
        chunk: largest number of replicas in one stack; memory grows with it. Halved
            when memory runs out. By default a processor core has a stack of its own, of
            at most ``CHUNK`` replicas; a graphics card has one.
        checkpoint: folder in which the state of each stack is kept, after each epoch.
        resume: go on from what ``checkpoint`` holds, to the very weights that an
            undisturbed run gives. A stack is recognised by its replicas, so call with
            the same folds, seeds, chunk and number of threads.
        initial: called with each network before its first step, to change it.
        watch: called with (epoch, networks of the stack) before the first epoch, as
            epoch 0, and after each.

    Returns:
        replicas ordered by configuration, then fold by fold, seed by seed.

    Raises:
        TrainingError: if the loss of every replica stops being finite, naming fold,
            seed, epoch and term.
        ParameterError: if the device is not there or lacks the precision, or a
            checkpoint is of another run.
        DatasetError: if a fold does not fit the data set.

    Example:
        >>> from mpcl import MPCLConfig
        >>> from mpcl.data.catalogue import open_dataset
        >>> from mpcl.splits import folds
        >>> dataset, few = open_dataset("simulated"), Settings(epochs=1, batch=512)
        >>> config, two = MPCLConfig.from_dataset(dataset), folds(dataset, "trials")[:2]
        >>> fit(config, dataset, two, [0, 1], few, "cpu").log.sizes["replica"]
        4
    """
    settings, place = settings or Settings(), device_of(device)
    if place.type == "mps" and settings.precision == "float64":
        sentence = "the device 'mps' has no float64; set precision to float32"
        raise ParameterError(sentence)
    configs = list(config) if isinstance(config, Sequence) else [config]
    replicas = make_replicas(configs, dataset, folds, seeds, settings)
    alone = bool(place.type != "cpu" or settings.compile or watch or initial)
    chunks = _chunks(replicas, settings, chunk, place, alone)
    stop = threading.Event()
    _keep_memory()
    total = len(replicas) * settings.epochs
    with (  # disable=None hides the bar where there is no terminal
        tqdm(total=total, unit="epoch", disable=None if progress else True) as bar,
        _arithmetic(settings.precision, place),
    ):

        def train(numbers: list[int]) -> dict[int, Trained]:
            """Train the replicas of these numbers in one stack."""
            several = [replicas[number] for number in numbers]
            stack = Stack(several, settings, place, initial)
            training = StackTraining(stack, settings, checkpoint, resume)
            trained = training.run(bar, watch, stop)
            return dict(zip(numbers, trained, strict=True))

        done = _side_by_side(train, chunks, alone, stop, bar.write)
    return _result(replicas, [done[n] for n in range(len(replicas))], settings)


def make_replicas(
    configs: Sequence[NetworkConfig],
    dataset: xr.Dataset,
    folds: Sequence[Fold],
    seeds: Sequence[int],
    settings: Settings,
) -> list[Replica]:
    """All networks of a cross-validation: configurations x folds x seeds."""
    windows = {fold: Windows.of(dataset, fold, settings) for fold in folds}
    return [
        Replica(config, fold, seed, windows[fold])
        for config in configs
        for fold in folds
        for seed in seeds
    ]


def _chunks(
    replicas: Sequence[Replica],
    settings: Settings,
    size: int | None,
    device: torch.device,
    alone: bool,
) -> list[list[int]]:
    """Which replicas train in one stack.

    They have the same parameters, number of steps and moments in a batch, and are at
    most ``size``.
    """
    groups: dict[tuple[NetworkConfig, int, int], list[int]] = {}
    for number, replica in enumerate(replicas):
        moments = min(settings.moments, replica.windows.counts.max())
        steps = replica.windows.steps(settings)
        shape = replica.config.architecture(), steps, moments
        groups.setdefault(shape, []).append(number)
    if not size:  # every core has as many stacks
        cores = 1 if alone else torch.get_num_threads()
        rounds = -(-len(replicas) // (cores * CHUNK[device.type]))
        size = -(-len(replicas) // (cores * rounds))
    return [
        group[begin : begin + size]
        for group in groups.values()
        for begin in range(0, len(group), size)
    ]


Train = Callable[[list[int]], dict[int, Trained]]


def _side_by_side(
    train: Train,
    chunks: list[list[int]],
    alone: bool,
    stop: threading.Event,
    say: Callable[[str], object],
) -> dict[int, Trained]:
    """Train several stacks at once, a thread a processor core.

    A core works best on a stack of its own.
    """

    def safely(chunk: list[int]) -> dict[int, Trained]:
        return _in_halves(train, chunk, say)

    cores = torch.get_num_threads()
    if alone or min(cores, len(chunks)) == 1:
        trained = list(map(safely, chunks))
    else:
        pool = ThreadPoolExecutor(
            cores, initializer=torch.set_num_threads, initargs=(1,)
        )
        try:
            with pool:
                try:
                    trained = list(pool.map(safely, chunks))
                except BaseException:  # a failure, or Ctrl-C, ends the other stacks
                    stop.set()
                    raise
        finally:
            torch.set_num_threads(cores)
    return {number: each for part in trained for number, each in part.items()}


def _in_halves(
    train: Train, numbers: list[int], say: Callable[[str], object]
) -> dict[int, Trained]:
    """Train replicas in one stack, or in two if memory runs out."""
    try:
        return train(numbers)
    except RuntimeError as error:
        if len(numbers) == 1 or not _is_out_of_memory(error):
            raise
    half = len(numbers) // 2
    say(
        f"memory ran out with {len(numbers)} networks in one stack; going on with "
        f"{half}"
    )
    return _in_halves(train, numbers[:half], say) | _in_halves(
        train, numbers[half:], say
    )


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def _result(
    replicas: Sequence[Replica], trained: Sequence[Trained], settings: Settings
) -> FitResult:
    failed = {n: each.failure for n, each in enumerate(trained) if each.failure}
    if len(failed) == len(replicas):
        raise TrainingError(failed[0])
    numbers = xr.IndexVariable("replica", range(len(trained)))
    return FitResult(
        [each.model for each in trained],
        [replica.config for replica in replicas],
        [replica.fold for replica in replicas],
        [replica.seed for replica in replicas],
        xr.concat([each.log for each in trained], numbers, join="outer"),
        settings,
        failed,
    )


class StackTraining:
    """The training of one stack: optimiser, log, and how to go on after a break."""

    def __init__(
        self,
        stack: Stack,
        settings: Settings,
        checkpoint: str | Path | None = None,
        resume: bool = False,
    ) -> None:
        self.stack, self.settings = stack, settings
        self.steps = stack.replicas[0].windows.steps(settings)
        rate, fused = settings.learning_rate, stack.device.type != "mps"
        self.optimiser = AdamW(stack.blocks.groups, rate, fused=fused)
        self.schedule = self._make_schedule()
        self.epoch = 0
        self.log: dict[str, np.ndarray] = {}  # of a term: (replica, epoch)
        self.validation = np.full((len(stack.replicas), settings.epochs), np.nan)
        self.best = [block.clone() for block in stack.blocks.blocks()]
        self.pool = ThreadPoolExecutor(1)
        self.ahead: Future[Draw[Tensor]] | None = None
        self.about = self._about() if checkpoint else {}
        self.file: Path | None = None
        if checkpoint:
            replicas = repr(self.about["replicas"]).encode()
            name = hashlib.sha256(replicas).hexdigest()[:16]
            self.file = Path(checkpoint) / f"{name}.npz"
            if resume and self.file.exists():
                self._restore(self.file)

    def _make_schedule(self) -> LRScheduler:
        if self.settings.patience:
            return ConstantLR(self.optimiser, 1.0)
        steps = self.settings.epochs * self.steps
        return OneCycleLR(self.optimiser, self.settings.learning_rate, steps)

    def run(
        self, bar: Any, watch: Watch | None, stop: threading.Event
    ) -> list[Trained]:
        """Train all epochs, or until no replica can go on or ``stop`` is set.

        Args:
            bar: of tqdm.
            watch: of :func:`fit`.
            stop: set where another stack failed.
        """
        count, half = len(self.stack.replicas), self.settings.precision == "bfloat16"
        kind = self.stack.device.type
        bar.update(self.epoch * count)
        if watch and self.epoch == 0:
            watch(0, self.stack.networks())
        while not (self._is_finished() or stop.is_set()):
            with torch.autocast(kind, torch.bfloat16, half, cache_enabled=False):
                means = self.train_epoch()
            self._record(means)
            if watch:
                watch(self.epoch, self.stack.networks())
            bar.set_postfix_str(f"loss {means['total'].nanmean():.3f}", refresh=False)
            bar.update(count)
        return self._results()

    def train_epoch(self) -> dict[str, Tensor]:
        """One pass over the training windows; the mean terms (replica,)."""
        drawn = self._draw()
        means: dict[str, Tensor] = {}
        for step in range(self.steps):
            terms = self.stack.learn(*drawn.at(step))  # (replica,) each
            self.optimiser.step()
            self.schedule.step()
            for name, value in terms.items():
                means[name] = means.get(name, 0) + value / self.steps
        return means

    def _draw(self) -> Draw[Tensor]:
        """What is random in this epoch; that of the next is drawn meanwhile."""
        stack, device = self.stack, self.stack.device
        if device.type == "cpu":  # no core is idle
            return stack.draw(self.epoch)
        if self.ahead is None:
            self.ahead = self.pool.submit(stack.draw, self.epoch)
        drawn = self.ahead.result()
        if self.epoch + 1 < self.settings.epochs:
            self.ahead = self.pool.submit(stack.draw, self.epoch + 1)
        return Draw(*(values.to(device) for values in drawn))

    def _record(self, means: dict[str, Tensor]) -> None:
        """Log an epoch, look at the validation participants, and keep the state."""
        for name, value in means.items():
            empty = np.full_like(self.validation, np.nan)
            values = self.log.setdefault(name, empty)
            values[:, self.epoch] = value.double().cpu().numpy()
        if self.settings.patience:
            self._validate()
        self.epoch += 1
        if self.file:
            self._keep(self.file)

    def _validate(self) -> None:
        """Note the KL on each one's validation participants, and its best weights."""
        scores = self.validation
        models: list[Any] = self.stack.networks()
        for number, model in enumerate(models):
            data = self.stack.replicas[number].validation_inputs(self.settings)
            with torch.no_grad():
                terms = model.losses(model(data.features, data.present), data.target)
            scores[number, self.epoch] = terms["kl"].item()
        before = np.min(scores[:, : self.epoch], axis=1, initial=np.inf)
        better = scores[:, self.epoch] < before  # (replica,)
        is_better = torch.from_numpy(better).to(self.stack.device)
        for best, block in zip(self.best, self.stack.blocks.blocks(), strict=True):
            best[is_better] = block[is_better]

    def _is_finished(self) -> bool:
        """Whether no replica can go on, or each saw its best validation long ago."""
        if self.epoch == 0:
            return False
        scores = np.nan_to_num(self.validation[:, : self.epoch], nan=np.inf)
        waited = int((self.epoch - 1 - scores.argmin(1)).min())
        failures = [self._failure(n) for n in range(len(self.stack.replicas))]
        gives_up = 0 < self.settings.patience <= waited
        return self.epoch == self.settings.epochs or all(failures) or gives_up

    def _failure(self, number: int) -> str:
        """Why a replica cannot go on, or nothing."""
        replica = self.stack.replicas[number]
        place = f"seed {replica.seed}, {replica.fold.name}; {REMEDY}"
        for epoch in range(self.epoch):
            for name in self._terms(replica):
                value = self.log[name][number, epoch]
                if not np.isfinite(value):
                    term = f"the loss term {name!r} is {value}"
                    return f"{term} in epoch {epoch + 1}, {place}"
        weights = [block[number] for block in self.stack.blocks.blocks()]
        if not all(torch.isfinite(weight).all() for weight in weights):
            return f"the weights are not finite after epoch {self.epoch}, {place}"
        return ""

    def _terms(self, replica: Replica) -> list[str]:
        """What is logged of a replica; its stack may compute more terms."""
        return [*replica.weights(), "total"]

    def _log_of(self, number: int) -> xr.Dataset:
        """What is logged of a replica; NaN where it does not have a term."""
        values = np.stack([each[number] for each in self.log.values()], 1)
        epochs = np.arange(1, self.settings.epochs + 1)
        coords = {"epoch": epochs, "term": list(self.log)}
        loss = xr.DataArray(values, coords, ("epoch", "term"))
        loss = loss.where(loss.term.isin(self._terms(self.stack.replicas[number])))
        return xr.Dataset(
            {"loss": loss, "validation": ("epoch", self.validation[number])}
        )

    def _results(self) -> list[Trained]:
        if self.settings.patience:
            for best, block in zip(self.best, self.stack.blocks.blocks(), strict=True):
                block.copy_(best)
        results = []
        for number, model in enumerate(self.stack.networks()):
            failure = self._failure(number)
            kept = None if failure else model
            results.append(Trained(kept, self._log_of(number), failure))
        return results

    def _about(self) -> dict[str, Any]:
        """What a checkpoint belongs to: replicas, settings and training windows."""
        digest = hashlib.sha256()
        for value in self.stack.inputs[:3]:
            digest.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
        replicas = [
            [vars(replica.config), replica.fold.key, replica.seed]
            for replica in self.stack.replicas
        ]
        return {
            "replicas": replicas,
            "settings": dataclasses.asdict(self.settings),
            "data": digest.hexdigest(),
        }

    def _state(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name.

        Weights, their best, and the two moments of the optimiser.
        """
        state = {}
        for number, block in enumerate(self.stack.blocks.blocks()):
            moments = self.optimiser.state[block]
            state[f"weight/{number}"] = block
            state[f"best/{number}"] = self.best[number]
            state[f"exp_avg/{number}"] = moments["exp_avg"]
            state[f"exp_avg_sq/{number}"] = moments["exp_avg_sq"]
        return state

    def _keep(self, file: Path) -> None:
        arrays = {name: value.cpu().numpy() for name, value in self._state().items()}
        arrays |= {f"log/{name}": values for name, values in self.log.items()}
        arrays |= {"epoch": np.array(self.epoch), "validation": self.validation}
        files.write_arrays(arrays, self.about, file)

    def _restore(self, file: Path) -> None:
        """Go back to a checkpoint; random numbers need none, as the step keys them."""
        arrays, about = files.read_arrays(file)
        if about != json.loads(json.dumps(self.about)):
            raise ParameterError(
                f"{file} belongs to another run; delete it, or choose another folder"
            )
        self.epoch, self.validation = int(arrays["epoch"]), arrays["validation"]
        for name, values in arrays.items():
            if name.startswith("log/"):
                self.log[name.removeprefix("log/")] = values
        steps = self.epoch * self.steps
        for block in self.stack.blocks.blocks():
            self.optimiser.state[block] = {
                "step": torch.tensor(float(steps), device=block.device),
                "exp_avg": torch.zeros_like(block),
                "exp_avg_sq": torch.zeros_like(block),
            }
        for name, value in self._state().items():
            value.copy_(torch.from_numpy(arrays[name]))
        if self.epoch < self.settings.epochs:
            place = {"last_epoch": steps - 1, "_step_count": steps + 1}
            self.schedule.load_state_dict(self.schedule.state_dict() | place)
            self.schedule.step()


def _keep_memory() -> None:
    """Let the C library keep what a step frees, for the next takes as much again.

    Fresh pages are cleared each time, which takes a quarter of a step on a processor.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt = getattr(library, "mallopt", None)  # of glibc
    if mallopt:
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: bytes that it keeps
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD: bytes from which it keeps none


@contextlib.contextmanager
def _arithmetic(precision: str, device: torch.device) -> Generator[None, None, None]:
    """Matrix products of a precision.

    On a graphics card also with algorithms that give the same twice.
    """
    before = torch.get_float32_matmul_precision()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.use_deterministic_algorithms(strict or device.type == "cuda", warn_only=True)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.use_deterministic_algorithms(strict)


@contextlib.contextmanager
def one_thread() -> Generator[None, None, None]:
    """What is small is done sooner by one thread than by several that wait in turn."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def predict(
    model: nn.Module,
    dataset: xr.Dataset,
    training: xr.Dataset,
    settings: Settings | None = None,
    device: str = "cpu",
) -> np.ndarray:
    """Predicted emotion distributions (window, emotion), which need no labels.

    A network that reads trials recalls each from all of its windows that are in
    ``dataset``, and says the same of all of them; where each window comes alone, it is
    a trial of its own.

    Args:
        model: fitted, and left where it is.
        dataset: the windows to predict.
        training: the windows that the model was trained on (their statistics serve
            ``inductive``).
        settings: of the training.
        device: where to compute.
    """
    settings, place = settings or Settings(), device_of(device)
    network: Any = copy.deepcopy(model).to(place)
    data = inputs(dataset, training, network.config, settings, place)
    with torch.no_grad():
        output = network(data.features, data.present)
    return output.logits.softmax(-1).cpu().numpy()[data.trial]
