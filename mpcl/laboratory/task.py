"""One run of a grid, in a worker of one thread.

What it makes stands under a temporary name until it is whole.
"""

import importlib
import json
import os
import shutil
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mpcl.errors import DatasetError, ParameterError, TrainingError
from mpcl.files import write_text
from mpcl.laboratory.grid import Task

DONE = "done.json"  # in the folder of a run that came to its end
FAILED = "failed.json"  # in that of one that did not
LOG = "log.txt"  # beside it: where it failed


def record(out: Path, task: Task) -> dict[str, Any] | None:
    """What stands in the record of a run that is done, from the same work and data."""
    with suppress(OSError, ValueError):
        facts = json.loads((out / task.folder / DONE).read_text(encoding="utf-8"))
        if facts["key"] == task.key:
            return facts
    return None


def run(task: Task, out: Path) -> dict[str, Any]:
    """Do one run, unless it is done; what a worker is given.

    Raises:
        TrainingError: if it fails; its log and its notebook lie in its folder.
    """
    before = record(out, task)
    if before is not None:
        return before
    part = _hidden(out / task.folder)
    part.mkdir(parents=True)
    begun = time.monotonic()
    facts: dict[str, Any] = asdict(task)
    try:
        try:
            WORKS[task.kind](task.work, part)
        except Exception as error:  # whatever a run ends in stops no other
            write_text(traceback.format_exc(), part / LOG)
            facts["reason"] = _reason(error)
        facts["seconds"] = round(time.monotonic() - begun, 3)
        name = FAILED if "reason" in facts else DONE
        write_text(json.dumps(facts, indent=1, default=str), part / name)
        _put(part, out, task)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if "reason" in facts:
        raise TrainingError(facts["reason"])
    return facts


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")


def _put(part: Path, out: Path, task: Task) -> None:
    """Give a run its name; where another made it meanwhile, that one stays."""
    folder = out / task.folder
    if folder.exists() and record(out, task) is None:
        old = _hidden(folder)
        os.rename(folder, old)
        shutil.rmtree(old, ignore_errors=True)
    try:
        os.rename(part, folder)
    except OSError:
        if record(out, task) is None:
            raise


def _reason(error: Exception) -> str:
    """Why a run failed: a sentence of ours, or the last line of its error."""
    if isinstance(error, DatasetError | ParameterError | TrainingError):
        return " ".join(str(error).split())
    text = "".join(traceback.format_exception_only(error))
    return text.strip().splitlines()[-1][:300]


def _notebook(work: dict[str, Any], part: Path) -> None:
    papermill = importlib.import_module("papermill")  # of the extra "book"
    source = Path(work["notebook"])
    papermill.execute_notebook(
        source,
        part / source.name,
        parameters=work["parameters"],
        cwd=source.parent,
        progress_bar=False,
    )


def _scores(work: dict[str, Any], part: Path) -> None:
    from mpcl.data.catalogue import open_dataset
    from mpcl.evaluation.results import evaluate
    from mpcl.notebook import PROFILES

    changes = {key: work[key] for key in ("epochs", "normalisation") if key in work}
    evaluate(
        open_dataset(work["dataset"], root=work["root"]),
        work["predictor"],
        work["protocol"],
        work["seeds"],
        replace(PROFILES["full"].settings, **changes),
        out=part / "scores.nc",
        reads=work["reads"],
    )


def _participant(work: dict[str, Any], part: Path) -> None:
    from mpcl.data.wesad.load import extract

    extract(work["root"], work["participant"])


def _dataset(work: dict[str, Any], part: Path) -> None:
    from mpcl.data import contract
    from mpcl.data.catalogue import open_dataset

    options = {key: work[key] for key in ("recipe", "conditions") if key in work}
    dataset = open_dataset(work["name"], root=work["root"], **options)
    contract.write(dataset, work["out"])


WORKS: dict[str, Callable[[dict[str, Any], Path], object]] = {
    "notebook": _notebook,
    "scores": _scores,
    "participant": _participant,
    "dataset": _dataset,
}
