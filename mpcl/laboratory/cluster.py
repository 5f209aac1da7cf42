"""Works off a grid on Dask distributed: here, at a running scheduler, or by SLURM."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr
from dask import config
from distributed import Client, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from mpcl.errors import ParameterError
from mpcl.evaluation import results
from mpcl.files import write_netcdf
from mpcl.laboratory import report, task
from mpcl.laboratory.grid import Grid, Task
from mpcl.locks import claimed

DEATHS = 5  # workers that may die under one run before it counts as failed
Work = Callable[[Task, Path], dict[str, Any]]


@contextmanager
def connected(
    scheduler: str | None = None,
    workers: int = 2,
    slurm: dict[str, Any] | None = None,
    gpu: bool = False,
) -> Iterator[Client]:
    """A client of a running scheduler, of SLURM, or of workers on this machine.

    Workers on this machine are processes of one thread, and listen to nobody else.
    """
    config.set({"distributed.scheduler.allowed-failures": DEATHS})
    if scheduler:
        try:
            client = Client(scheduler)
        except (OSError, ValueError) as error:
            raise ParameterError(f"no scheduler answers at {scheduler}") from error
        with client:
            yield client
        return
    if workers < 1:
        raise ParameterError("--workers must be at least 1")
    if slurm is not None:
        jobs = slurm_cluster(slurm)
        jobs.scale(jobs=int(slurm.get("jobs", 1)))
    else:
        jobs = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # a run may take what the machine has
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            resources={"GPU": 1} if gpu else None,
            silence_logs="CRITICAL",
        )
    with jobs, Client(jobs) as client:
        yield client


def slurm_cluster(choices: dict[str, Any]) -> Any:
    """A cluster whose workers are jobs of SLURM; nothing is sent before it scales.

    Args:
        choices: ``cores``, ``memory``, ``walltime``, ``queue`` and whatever else
            :class:`dask_jobqueue.SLURMCluster` takes; ``gpus`` a job.
    """
    from dask_jobqueue import SLURMCluster

    for needed in ("cores", "memory"):
        if needed not in choices:
            raise ParameterError(
                f"slurm needs {needed}, such as cores: 4, memory: 16GB"
            )
    plain: dict[str, Any] = {**choices, "processes": 1}
    plain.pop("jobs", None)
    gpus = plain.pop("gpus", 0)
    if gpus:
        words = {
            "job_extra_directives": f"--gres=gpu:{gpus}",
            "worker_extra_args": f"--resources GPU={gpus}",
        }
        plain |= {key: [*plain.get(key, []), word] for key, word in words.items()}
    try:
        return SLURMCluster(**plain)
    except ValueError as error:
        reason = str(error).partition(". ")[0]
        raise ParameterError(f"the section slurm cannot be used: {reason}") from error


def work_off(
    client: Client,
    tasks: list[Task],
    out: Path,
    work: Work = task.run,
    retries: int = 1,
    gpu: bool = False,
) -> Iterator[tuple[Task, dict[str, Any] | None, str]]:
    """Each task once it is done: its record, or None and why it failed.

    A worker that dies costs its run another try; a run that fails is tried again as
    often as ``retries`` says; neither stops the others.
    """
    futures = client.map(  # together: one by one, each would cost the scheduler more
        work,
        tasks,
        [out] * len(tasks),
        key=[each.folder for each in tasks],
        pure=False,
        retries=retries,
        resources={"GPU": 1} if gpu else None,
    )
    tasks_of = dict(zip(futures, tasks, strict=True))
    for future in as_completed(futures):
        error = future.exception()
        if error is None:
            yield tasks_of[future], future.result(), ""
        elif isinstance(error, KilledWorker):
            yield tasks_of[future], None, f"{DEATHS} workers died while it ran"
        else:
            yield tasks_of[future], None, " ".join(str(error).split())
        future.release()


def run(grid: Grid, out: str | Path, **choices: Any) -> int:
    """Work off a grid; the same call goes on from what was done.

    Args:
        out: the folder of results.
        choices: of :func:`connected`.

    Returns:
        how many runs failed.

    Raises:
        ParameterError: if nothing can be written there, or a choice is none.
        TrainingError: if another grid is at work on the folder.
    """
    out = Path(out).resolve()
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".grid.part").mkdir(exist_ok=True)  # swept with the others
    except OSError as error:
        sentence = f"{out} cannot be a folder of results ({error.strerror})"
        raise ParameterError(sentence) from error
    with claimed(out / "grid"):
        _sweep(out)  # of a grid that was killed
        failures: dict[str, str] = {}
        with connected(gpu=grid.gpu, **choices) as client:
            for stage in grid.stages:
                failures |= _stage(client, grid, stage, out)
                if failures and stage is not grid.stages[-1]:
                    print("what the others need has failed: they are not run")
                    break
        _sweep(out)  # of workers that died
        for name, tasks in grid.merged.items():
            merge(tasks, out, name)
        tasks = [each for stage in grid.stages for each in stage]
        print(f"report: {report.write(tasks, failures, out)}")
    return len(failures)


def _sweep(out: Path) -> None:
    """Remove what runs left that did not come to their end."""
    for part in out.glob(".*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _stage(client: Client, grid: Grid, stage: list[Task], out: Path) -> dict[str, str]:
    """Run what is not done yet, with a line for each; why the failed ones failed."""
    todo = [each for each in stage if task.record(out, each) is None]
    done, begun = len(stage) - len(todo), time.monotonic()
    if done:
        print(f"{done} of {len(stage)} runs are there already")
    failures: dict[str, str] = {}
    gpu = grid.gpu and stage[0].kind != "participant"
    finished = work_off(client, todo, out, retries=grid.retries, gpu=gpu)
    for number, (each, facts, reason) in enumerate(finished, 1):
        if facts is None:
            failures[each.folder] = reason
        took = "failed" if facts is None else f"{facts['seconds']:.1f} s"
        left = (time.monotonic() - begun) / number * (len(todo) - number)
        print(
            f"[{done + number}/{len(stage)}] {each.name}: {took}; "
            f"{len(failures)} failed, about {report.duration(left)} left",
            flush=True,
        )
    return failures


def merge(tasks: list[Task], out: Path, name: str) -> None:
    """The scores of all runs of an evaluation in one file, read one after the other."""
    together: xr.Dataset | None = None
    for each in tasks:
        if task.record(out, each) is not None:
            scores = results.read(out / each.folder / "scores.nc")
            if together is not None:
                scores = results.together(together, scores)
            together = scores
    if together is not None:
        write_netcdf(together.sortby("seed"), out / f"{name}-scores.nc")
