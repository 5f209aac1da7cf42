"""The plan of a grid: which runs it is made of, and what each of them depends on."""

import importlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mpcl import provenance
from mpcl.data.catalogue import NAMES
from mpcl.data.checksums import sha256
from mpcl.errors import ParameterError
from mpcl.evaluation import predictors
from mpcl.laboratory import plan as plans
from mpcl.splits import PROTOCOLS, WITHOUT, count_answered
from mpcl.training.settings import Settings

NEEDED = {  # keys of each entry of a section
    "notebooks": ("notebook",),
    "evaluations": ("name",),
    "preparations": ("name", "root"),
}
OPTIONAL = {
    "notebooks": ("parameters",),
    "evaluations": (
        "dataset", "root", "predictors", "protocol", "reads", "seeds", "seeds_a_task",
        "epochs", "normalisation",
    ),
    "preparations": ("recipe", "conditions"),
}  # fmt: skip
CHOICES = ("retries", "gpu", "slurm")
READERS = ("mpcl.data.catalogue", "mpcl.data.wesad.load")  # of official files


@dataclass(frozen=True)
class Task:
    """One run: it has a folder and a key of its own.

    Args:
        kind: ``notebook``, ``scores``, ``participant`` or ``dataset``.
        name: of its folder, for people.
        work: what to do, as JSON would hold it.
        key: of all that its result depends on: work, code and data.
    """

    kind: str
    name: str
    work: dict[str, Any]
    key: str

    @property
    def folder(self) -> str:
        """Different for different work, the same each time."""
        of_work = provenance.hash_of(self.kind, json.dumps(self.work, sort_keys=True))
        return f"{self.name}-{of_work[:8]}"


@dataclass(frozen=True)
class Grid:
    """The stages of a grid, each of which needs those before it, and its choices."""

    stages: list[list[Task]]
    merged: dict[str, list[Task]]  # tasks whose scores become one file, by its name
    retries: int
    gpu: bool
    slurm: dict[str, Any] | None


@dataclass(frozen=True)
class Place:
    """Where the plan lies, where results go, and which data sets it prepares there."""

    folder: Path
    out: Path
    prepared: dict[str, str]  # the keys of the tasks that prepare them, by their paths

    def dataset(self, name: str) -> str:
        """A data set by its name, or its path.

        Raises:
            ParameterError: if there is none, and none is prepared.
        """
        if name in NAMES:
            return name
        for path in (self.folder / name, self.out / name):
            if str(path) in self.prepared or path.is_file():
                return str(path)
        raise ParameterError(
            f"there is no data set {name!r}: no file, none that this plan prepares, "
            f"and none of {', '.join(NAMES)}"
        )

    def content(self, dataset: str | None, root: str | None) -> str:
        """What a data set is: hash of a file, or sizes and times of a folder's."""
        if root:
            return provenance.hash_of(str(dataset), _listing(root))
        path = Path(dataset or "")
        if str(path) in self.prepared:
            return self.prepared[str(path)]
        if not path.is_file():
            return str(dataset)
        facts = path.stat()
        return _content(path, facts.st_size, facts.st_mtime_ns)


def read(path: str | Path, out: str | Path) -> Grid:
    """The grid that a YAML file describes.

    Args:
        path: the file; paths in it start at its folder.
        out: the folder of results; data sets that the grid prepares lie in it.

    Raises:
        ParameterError: in one sentence: what in the file is wrong.
    """
    plan = plans.read(path)
    try:
        return _grid(plan, Path(path).parent.resolve(), Path(out).resolve())
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from error


def _grid(plan: dict[str, Any], folder: Path, out: Path) -> Grid:
    _refuse(plans.unknown(plan, (*NEEDED, *CHOICES)))
    notebooks, evaluations, preparations = (_entries(plan, name) for name in NEEDED)
    participants = [
        each for entry in preparations for each in _participants(folder, entry)
    ]
    datasets = [_dataset(folder, out, entry) for entry in preparations]
    place = Place(folder, out, {each.work["out"]: each.key for each in datasets})
    runs = [each for entry in notebooks for each in _notebooks(place, entry)]
    merged = {str(entry["name"]): [*_scores(place, entry)] for entry in evaluations}
    if len(merged) < len(evaluations):
        raise ParameterError("two evaluations have the same name")
    runs += itertools.chain(*merged.values())
    stages = [stage for stage in (participants, datasets, runs) if stage]
    if not stages:
        raise ParameterError("there is nothing to run in it")
    gpu, slurm = bool(plan.get("gpu")), plan.get("slurm")
    return Grid(stages, merged, _number(plan, "retries", least=0), gpu, slurm)


def _entries(plan: dict[str, Any], section: str) -> list[dict[str, Any]]:
    """The entries of a section, each with known keys and those that it needs."""
    entries = plan.get(section) or []
    if not isinstance(entries, list):
        raise ParameterError(f"{section} must be a list, each with '- '")
    for number, entry in enumerate(entries, 1):
        place = f"{section}, entry {number}"
        if not isinstance(entry, dict):
            raise ParameterError(f"{place} must have keys, not {entry!r}")
        wrong = [f"needs {key}" for key in NEEDED[section] if not entry.get(key)]
        wrong += plans.unknown(entry, (*NEEDED[section], *OPTIONAL[section]))
        _refuse([f"{place}: {words}" for words in wrong])
    return entries


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise ParameterError("; ".join(wrong))


def _number(entry: dict[str, Any], key: str, least: int = 1) -> int:
    """A whole number, 1 where the key is not there."""
    value = entry.get(key, 1)
    if not isinstance(value, int) or value < least:
        raise ParameterError(f"{key} must be a whole number from {least} on")
    return value


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _product(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of parameters.

    >>> list(_product({"SEED": [0, 1], "PROFILE": "quick"}))
    [{'SEED': 0, 'PROFILE': 'quick'}, {'SEED': 1, 'PROFILE': 'quick'}]
    """
    for values in itertools.product(*map(_listed, parameters.values())):
        yield dict(zip(parameters, values, strict=True))


def _task(kind: str, name: str, work: dict[str, Any], *depends: str) -> Task:
    """A task whose key covers its work and what it depends on: code and data."""
    what = json.dumps(work, sort_keys=True, default=str)
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")[:60]
    return Task(kind, safe, work, provenance.hash_of(kind, what, *depends))


def _notebooks(place: Place, entry: dict[str, Any]) -> Iterator[Task]:
    notebook = place.folder / str(entry["notebook"])
    if not notebook.is_file():
        raise ParameterError(f"there is no notebook {notebook}")
    parameters = entry.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise ParameterError(f"parameters of {notebook.name} must have names")
    source = _source(notebook, parameters)
    plain = re.sub(r"^\s*[%!].*", "", source, flags=re.MULTILINE)
    code = provenance.hash_of_code(provenance.reachable(plain))
    for values in _product(parameters):
        data, root = values.get("DATASET"), values.get("DATA_ROOT")
        if isinstance(root, str):
            values["DATA_ROOT"] = root = str(place.folder / root)
        if isinstance(data, str):
            values["DATASET"] = data = place.dataset(data)
        words = [f"{key}-{Path(str(value)).name}" for key, value in values.items()]
        work = {"notebook": str(notebook), "parameters": values}
        name = "-".join([notebook.stem, *words])
        yield _task("notebook", name, work, source, code, place.content(data, root))


def _source(notebook: Path, parameters: dict[str, Any]) -> str:
    """The code of a notebook that has these parameters."""
    papermill = importlib.import_module("papermill")  # of the extra "book"
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, TypeError, KeyError) as error:
        raise ParameterError(f"{notebook} is no notebook") from error
    choices = papermill.inspect_notebook(str(notebook))
    _refuse(plans.unknown(parameters, choices, f"parameter of {notebook.name}"))
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return "\n".join("".join(lines) for lines in code)


def _scores(place: Place, entry: dict[str, Any]) -> Iterator[Task]:
    """Scores of each predictor, protocol and reading, in chunks of seeds."""
    fixed = {key: entry[key] for key in ("epochs", "normalisation") if key in entry}
    Settings(**fixed)  # or a sentence
    fixed["dataset"] = place.dataset(str(entry.get("dataset", "simulated")))
    fixed["root"] = entry.get("root") and str(place.folder / entry["root"])
    seeds = list(range(_number(entry, "seeds")))
    chunk = _number(entry, "seeds_a_task")
    varied = {
        "predictor": entry.get("predictors", "all"),
        "protocol": entry.get("protocol", "participants"),
        "reads": entry.get("reads", "trials"),
        "seeds": [seeds[first : first + chunk] for first in seeds[::chunk]],
    }
    protocols = [
        str(word).partition(WITHOUT)[0] for word in _listed(varied["protocol"])
    ]
    splits = [word for word in protocols if count_answered(word) is None]
    _refuse(plans.unknown(splits, PROTOCOLS, "protocol"))
    _refuse(plans.unknown(_listed(varied["reads"]), predictors.READS, "reading"))
    data = place.content(fixed["dataset"], fixed["root"])
    for choice in _product(varied):
        name = f"{entry['name']}-{choice['predictor']}-seeds-{choice['seeds'][0]}"
        code = _code_of(choice["predictor"])
        yield _task("scores", name, fixed | choice, code, data)


@lru_cache
def _code_of(predictor: str) -> str:
    """Hash of the code that the scores of a predictor depend on.

    Raises:
        ParameterError: for an unknown name.
    """
    made = predictors.made(predictor).items()
    return provenance.hash_of(*(predictors.code_of(*each) for each in made))


def _participants(folder: Path, entry: dict[str, Any]) -> Iterator[Task]:
    """Features of one participant each; only WESAD's raw signals are worth it."""
    root = folder / entry["root"]
    for recording in sorted(root.glob("S*/S*.pkl")) if entry["name"] == "wesad" else ():
        work = {"root": str(root), "participant": recording.stem}
        depends = _code_of_readers(), _listing(recording.parent)
        yield _task("participant", f"wesad-{recording.stem}", work, *depends)


def _dataset(folder: Path, out: Path, entry: dict[str, Any]) -> Task:
    root, path = folder / entry["root"], out / f"{entry['name']}.nc"
    _refuse(plans.unknown([entry["name"]], NAMES, "data set"))
    if not root.is_dir():
        raise ParameterError(f"there is no folder {root}")
    work = entry | {"root": str(root), "out": str(path)}
    return _task("dataset", entry["name"], work, _code_of_readers(), _listing(root))


@lru_cache
def _code_of_readers() -> str:
    return provenance.code_of(*READERS)


@lru_cache
def _content(path: Path, size: int, changed: int) -> str:
    """Hash of a file, which is read once for all runs on it."""
    return sha256(path)


def _listing(folder: str | Path) -> str:
    """Hash of the names, sizes and times of all files in a folder."""
    facts = [
        f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    ]
    return provenance.hash_of(*facts)
