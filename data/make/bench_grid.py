"""Runs of a grid that only cost time, for the benchmark ``grid``: equal and empty."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Client

from mpcl.laboratory import task
from mpcl.laboratory.cluster import Work, work_off
from mpcl.laboratory.grid import Task

LENGTH = 80_000_000  # additions of a run that computes, two seconds or so


def runs(number: int) -> list[Task]:
    """So many runs, each with a folder of its own."""
    return [Task("timed", f"run-{n}", {"number": n}, "") for n in range(number)]


def done(client: Client, tasks: list[Task], work: Work) -> None:
    """Work off runs in a new folder.

    Raises:
        RuntimeError: if one of them failed.
    """
    with TemporaryDirectory() as out:
        for _, _, reason in work_off(client, tasks, Path(out), work, retries=0):
            if reason:
                raise RuntimeError(reason)


def computing(run: Task, out: Path) -> dict[str, Any]:
    """A run that keeps one core busy, and leaves its folder and its record."""
    task.WORKS["timed"] = lambda work, part: sum(range(LENGTH))
    return task.run(run, out)


def empty(run: Task, out: Path) -> dict[str, Any]:
    """A run that leaves its folder and its record, and does nothing else."""
    task.WORKS["timed"] = lambda work, part: None
    return task.run(run, out)


def scheduled(run: Task, out: Path) -> dict[str, Any]:
    """Nothing at all: what is left is the scheduler."""
    return {}


def processes(number: int) -> None:
    """As many processes of Python, one after the other, that do nothing."""
    for _ in range(number):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
