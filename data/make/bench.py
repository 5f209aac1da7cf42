"""How fast it is, beside what one would use instead: ``make bench``.

    python -m data.make.bench [training retrieval ...] [--rounds 5] [--device auto]

Each figure is a ratio of two ways that do the same work, timed in turn in one run, with
machine and versions: ``data/benchmarks/NAME.nc`` with ``seconds (case, way, round)``.
Nothing here is a test, since seconds depend on the machine.
"""

import argparse
import json
import os
import pickle
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from data.make import bench_grid
from data.make.bench_rivals import Signal, of_neurokit, ordinary_loop, pyldl_measures
from mpcl import provenance, splits
from mpcl.data import features
from mpcl.data.catalogue import open_dataset
from mpcl.evaluation import metrics
from mpcl.evaluation.predictors import make
from mpcl.files import write_netcdf
from mpcl.model.memory import retrieve
from mpcl.training import loop
from mpcl.training.settings import Settings, device_of

FOLDER = provenance.ROOT / "data" / "benchmarks"
NETWORKS = ("mpcl", "mlp", "transformer", "emotiondict", "helo")
SIZES = (1, 15, 75, 150)  # networks in one stack
PROTOCOL = {"baseline": 1200, "stress": 600, "amusement": 390, "meditation": 420}  # s
ALONE = 2  # of these the ordinary loop trains, as its time is that of one times R


class Case(NamedTuple):
    """Two ways to do the same; ``times`` is how much more of it the first does.

    Seconds are compared, or the numbers that the ways return.
    """

    name: str
    rival: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    times: float = 1.0


def training(device: str) -> Iterator[Case]:
    """An epoch of networks in one stack, beside an ordinary loop and two processes."""
    dataset, place = open_dataset("simulated"), device_of(device)
    folds = splits.folds(dataset, "leave-one-participant-out")[:15]
    settings = Settings(epochs=1, precision="float32")
    for name in NETWORKS:
        network: Any = make(name, settings, device)
        config = network.config.from_dataset(dataset, **network.changes)
        how = network.settings
        for size in SIZES if name == "mpcl" else SIZES[2:3]:
            seeds = range(-(-size // len(folds)))
            chosen = folds[: min(size, len(folds))]
            ours = partial(loop.fit, config, dataset, chosen, seeds, how, device)
            alone = loop.make_replicas([config], dataset, folds[:ALONE], [0], how)
            theirs = partial(one_by_one, alone, how, place)
            case, more = f"{name}, {size}", size / ALONE
            yield Case(case, "an ordinary loop", ours, theirs, more)
            if place.type == "cpu" and size > 1:
                both = partial(in_two_processes, alone, how)
                yield Case(case, "two processes", ours, both, more)


def one_by_one(
    replicas: list[loop.Replica], settings: Settings, device: torch.device
) -> None:
    """Train networks one after the other."""
    for replica in replicas:
        ordinary_loop(replica, settings, device)


def in_two_processes(replicas: list[loop.Replica], settings: Settings) -> float:
    """Train networks in two processes of one thread each; seconds without their start.

    What is timed stands for many times as many networks, the start for none of them.
    """
    with ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (1,)) as p:
        work = partial(one_by_one, settings=settings, device=torch.device("cpu"))
        list(p.map(work, [replicas[:1], replicas[:1]]))  # both have started
        begin = time.perf_counter()
        list(p.map(work, [replicas[::2], replicas[1::2]]))
        return time.perf_counter() - begin


def retrieval(device: str) -> Iterator[Case]:
    """Retrieval from many patterns at three scales, beside the formula as it stands."""
    generator, place = torch.Generator().manual_seed(0), device_of(device)
    memory = torch.randn(50_000, 48, generator=generator).to(place)
    query = torch.randn(640, 48, generator=generator).to(place)
    beta = torch.tensor([0.25, 1.0, 4.0], device=place) / 48**0.5

    def formula() -> torch.Tensor:
        each = [(scale * query @ memory.T).softmax(-1) @ memory for scale in beta]
        return torch.stack(each)

    ours = partial(retrieve, query, memory, beta)
    yield Case("50000 patterns", "three products and a softmax", ours, formula)


def features_of_signals(device: str) -> Iterator[Case]:
    """Features of ten minutes, beside NeuroKit2 called once a window."""
    for kind, (rival, signal, rate) in of_neurokit(10).items():
        windows = features.place_windows(len(signal) / rate)
        cuts = [signal[round(a * rate) : round(b * rate)] for a, b in windows]
        ours = partial(getattr(features, kind), signal, rate, windows)
        theirs = partial(of_each, rival, cuts, rate)
        yield Case(kind, "NeuroKit2, window by window", ours, theirs)


def of_each(rival: Signal, cuts: list[np.ndarray], rate: int) -> None:
    """Read every cut of a signal by itself."""
    for cut in cuts:
        rival(cut, rate)


def loading(device: str) -> Iterator[Case]:
    """A WESAD recording, in a process of its own, beside ``pickle.load``."""
    from mpcl.simulation.wesad_twin import write_twin

    with tempfile.TemporaryDirectory() as folder:
        root = write_twin(folder, participants=1, seconds=PROTOCOL)
        (path,) = root.rglob("*.pkl")
        for number, unit in enumerate(("seconds", "megabytes")):
            ours = partial(loaded, "read", path, number)
            theirs = partial(loaded, "load", path, number)
            yield Case(f"one recording, {unit}", "pickle.load", ours, theirs)


def loaded(way: str, path: Path, number: int) -> float:
    """Seconds, or megabytes more at the peak, of loading in a process of its own."""
    command = [sys.executable, "-m", "data.make.bench", "--load", way, str(path)]
    ran = subprocess.run(
        command, check=True, cwd=provenance.ROOT, capture_output=True, text=True
    )
    return float(ran.stdout.split()[number])


def load(way: str, path: str) -> None:
    """Load a recording here, or as one does it by hand; print what it took."""
    from mpcl.data.wesad.pickles import read

    forget_peak()
    before, begin = peak(), time.perf_counter()
    if way == "read":
        read(Path(path))
    else:
        with open(path, "rb") as file:
            pickle.load(file, encoding="latin1")
    print(time.perf_counter() - begin, peak() - before)


def forget_peak() -> None:
    """Let what was imported count no more than what it still holds, on Linux."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")  # the highest memory so far is that of now


def peak() -> float:
    """Highest memory of this process so far, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would remember that of the parent
        return float(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measures(device: str) -> Iterator[Case]:
    """The six measures of many distributions, beside PyLDL where it is installed."""
    random = np.random.default_rng(0)
    true, predicted = random.dirichlet(np.ones(10), (2, 200_000))
    for name, rival in zip(metrics.SIX, pyldl_measures(), strict=False):
        ours = partial(getattr(metrics, name), true, predicted)
        yield Case(name, "PyLDL", ours, partial(rival, true, predicted))


def inference(device: str) -> Iterator[Case]:
    """One trial and many, by MPCL, beside a plain transformer encoder."""
    dataset = open_dataset("simulated")
    settings = Settings(epochs=1, batch=512, precision="float32")
    ours: Any = make("mpcl", settings, device).fit(dataset)
    theirs: Any = make("transformer", settings, device).fit(dataset)
    first = dataset.isel(window=dataset.trial.values == dataset.trial.values[0])
    for name, windows in (("one trial", first), ("all trials", dataset)):
        pair = partial(ours.predict, windows), partial(theirs.predict, windows)
        yield Case(name, "a transformer encoder", *pair)


def grid(device: str) -> Iterator[Case]:
    """Equal runs on two workers, beside one; empty ones, beside what has no records."""
    from mpcl.laboratory.cluster import connected

    few, many = bench_grid.runs(24), bench_grid.runs(1000)
    with connected(workers=1) as single, connected(workers=2) as double:
        drain = partial(bench_grid.done, work=bench_grid.computing)
        pair = partial(drain, double, few), partial(drain, single, few)
        yield Case("24 equal runs, two workers", "one worker", *pair)
        scheduled = partial(bench_grid.done, single, many, bench_grid.scheduled)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            rival = partial(of_pool, pool, many)
            yield Case("1000 empty runs, scheduler alone", "a pool", scheduled, rival)
        empty = partial(bench_grid.done, single, many, bench_grid.empty)
        alone = partial(bench_grid.processes, 20)
        rival = "a new process each"
        yield Case("1000 empty runs with records", rival, empty, alone, times=50)


def of_pool(pool: ProcessPoolExecutor, tasks: list[Any]) -> None:
    """Give tasks to a pool of processes, which forgets them."""
    list(pool.map(partial(bench_grid.scheduled, out=Path()), tasks))


def book(device: str) -> Iterator[Case]:
    """The book unchanged, and with one line changed, beside building it anew."""
    copy = Path(tempfile.mkdtemp()) / "book"
    skipped = shutil.ignore_patterns(".git", "_build", ".venv", "__pycache__")
    shutil.copytree(provenance.ROOT, copy, ignore=skipped)
    build = partial(
        subprocess.run,
        [sys.executable, "-m", "book._make.chapters", "build"],
        cwd=copy,
        check=True,
    )

    def anew() -> None:
        shutil.rmtree(copy / "_build", ignore_errors=True)
        build()

    def one_line() -> None:
        with open(copy / "book" / "glossary.md", "a", encoding="utf-8") as page:
            page.write("\nOne line more.\n")
        build()

    yield Case("unchanged", "a build from nothing", build, anew)
    yield Case("one line changed", "a build from nothing", one_line, anew)


BENCHMARKS: dict[str, Callable[[str], Iterator[Case]]] = {
    "training": training,
    "retrieval": retrieval,
    "features": features_of_signals,
    "loading": loading,
    "measures": measures,
    "inference": inference,
    "grid": grid,
    "book": book,
}


def measure(cases: Iterator[Case], rounds: int) -> xr.Dataset:
    """Both ways of each case, in turn: ``seconds (case, way, round)``.

    The first round, in which things are made that are used again, is not kept.
    """
    names: list[str] = []
    rivals: list[str] = []
    seconds: list[np.ndarray] = []
    for case in cases:
        each = np.empty((2, rounds + 1))
        for number in range(rounds + 1):
            for way, work in enumerate((case.ours, case.theirs)):
                begin = time.perf_counter()
                number_of_its_own = work()
                each[way, number] = time.perf_counter() - begin
                if isinstance(number_of_its_own, float):
                    each[way, number] = number_of_its_own
        each[1] *= case.times
        ratio = each[1, 1:] / each[0, 1:]
        low, high = ratio.min(), ratio.max()
        print(
            f"{case.name}, against {case.rival}: {np.median(ratio):.2f} times as fast "
            f"({low:.2f} to {high:.2f})",
            flush=True,
        )
        names.append(case.name)
        rivals.append(case.rival)
        seconds.append(each[:, 1:])
    coords = {"case": names, "rival": ("case", rivals), "way": ["ours", "rival"]}
    return xr.Dataset({"seconds": (("case", "way", "round"), seconds)}, coords)


def about(device: str) -> dict[str, str]:
    """What measured, and when."""
    return {
        "device": provenance.device_name(device_of(device)),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "threads": str(torch.get_num_threads()),
        "versions": json.dumps(provenance.versions()),
        "commit": provenance.commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> None:
    """Measure what is named, or everything, and write a file for each."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--load", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load(*options.load)
        return
    kind = device_of(options.device).type
    for name in options.names or BENCHMARKS:
        print(f"{name}:")
        measured = measure(BENCHMARKS[name](options.device), options.rounds)
        if measured.sizes["case"]:
            path = options.out / f"{name}-{kind}.nc"
            write_netcdf(measured.assign_attrs(about(options.device)), path)


if __name__ == "__main__":
    main()
