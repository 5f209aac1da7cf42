"""Renew the results: what ``data/renew.yml`` lists, in its order, each run once.

``python -m data.make.renew --wesad FOLDER`` goes through the list and resumes what was
interrupted; numbers behind it choose entries. A run is written into
``data/results/runs.csv`` before it has a score.
"""

import argparse
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
import yaml

from data.make.ladder import rungs
from mpcl import provenance
from mpcl.data.catalogue import open_dataset
from mpcl.evaluation import predictors, results
from mpcl.evaluation.predictors import BASELINES, PREDICTORS, Methods
from mpcl.files import write_text
from mpcl.notebook import PROFILES
from mpcl.training.settings import Settings

ROOT = provenance.ROOT
LIST = ROOT / "data" / "renew.yml"
GROUPS = ("removed", "alone", "rivals", "tuned")


def entries() -> list[dict[str, Any]]:
    """The committed list, in order of weight."""
    return yaml.safe_load(LIST.read_text(encoding="utf-8"))


def methods_of(words: list[str]) -> Methods:
    """Predictors by their names or by those of groups.

    Example:
        >>> methods_of(["peers", "mpcl"])[-1]
        'mpcl'
    """
    chosen: list[str | dict[str, Any]] = []
    for word in words:
        if word in GROUPS:
            made = rungs(word)
            chosen += [name for name in made if name in PREDICTORS]
            chosen.append({n: made[n] for n in made if n not in PREDICTORS})
        elif word == "peers":
            chosen += list(BASELINES)
        else:
            chosen.append(word)
    return chosen


def names_of(words: list[str]) -> list[str]:
    """The names of these predictors, in order."""
    names: list[str] = []
    for word in methods_of(words):
        names += [word] if isinstance(word, str) else list(word)
    return names


def opened(data: dict[str, Any], wesad: str | None) -> xr.Dataset:
    """The data set of an entry."""
    options = dict(data)
    name = options.pop("name")
    return open_dataset(name, wesad if name == "wesad" else None, **options)


def settings_of(entry: dict[str, Any]) -> Settings:
    """How its networks are trained: the full profile, with what the entry changes."""
    return replace(PROFILES["full"].settings, **entry.get("settings", {}))


def logged(entry: dict[str, Any], dataset: xr.Dataset, path: Path) -> None:
    """Write the run into the log, before it has a score."""
    settings = settings_of(entry)
    facts = ("dataset", "label_recipe", "conditions", "features")
    row = [
        datetime.now(UTC).isoformat(timespec="seconds"),
        entry["file"],
        provenance.commit(),
        "see the file",
        *(dataset.attrs.get(name, "") for name in facts),
        settings.normalisation,
        entry["protocol"],
        entry["seeds"],
        f"cohort {dataset.attrs['cohort_seed']}"
        if "cohort_seed" in dataset.attrs
        else 1,
        " ".join(names_of(entry["predictors"])),
        json.dumps(asdict(settings), sort_keys=True),
    ]
    line = pd.DataFrame([row]).to_csv(header=False, index=False)
    write_text(path.read_text(encoding="utf-8") + line, path)


def run(entry: dict[str, Any], wesad: str | None, folder: Path) -> None:
    """Score what an entry lists and its file does not hold yet."""
    dataset = opened(entry["data"], wesad)
    logged(entry, dataset, folder / "runs.csv")
    results.evaluate(
        dataset,
        methods_of(entry["predictors"]),
        entry["protocol"],
        range(entry["seeds"]),
        settings_of(entry),
        "cpu",
        folder / entry["file"],
        reads="trials",
    )


def is_run(entry: dict[str, Any], folder: Path) -> bool:
    """Whether a results file holds all that an entry lists."""
    path = folder / entry["file"]
    if not path.is_file():
        return False
    scored = results.read(path)
    excused = {name.partition(", ")[0] for name in results.reasons(scored)}
    names = [name for name in names_of(entry["predictors"]) if name not in excused]
    if (
        "network" in scored.attrs  # an earlier one
        or entry["protocol"] not in scored.protocol
        or not {*names} <= {*scored.predictor.values}
    ):
        return False
    score = scored.score.sel(
        predictor=names, protocol=entry["protocol"], level="trial", metric="kl"
    )
    of_seed = score.notnull().any(("reads", "cohort", "participant"))
    least = [most_seeds(name, entry["seeds"]) for name in names]
    return bool((of_seed.sum("seed").transpose("predictor").values >= least).all())


def most_seeds(name: str, seeds: int) -> int:
    """How many seeds a predictor has, where so many are asked for."""
    if name not in PREDICTORS:
        return seeds
    return min(predictors.most_seeds(name, predictors.make(name)) or seeds, seeds)


def state(folder: Path) -> str:
    """Of each entry whether it was run, as a table (number, what, minutes, state)."""
    table = pd.DataFrame(entries(), dtype=object)[["number", "what", "minutes"]]
    table["state"] = [
        "run" if is_run(entry, folder) else "not run by this version"
        for entry in entries()
    ]
    return table.to_csv(index=False)


def main(arguments: list[str] | None = None) -> None:
    """Run the entries that are chosen, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--wesad", help="folder of the official files")
    parser.add_argument("--to", type=Path, default=ROOT / "data" / "results")
    parser.add_argument("--state", action="store_true", help="say what was run")
    options = parser.parse_args(arguments)
    if options.state:
        write_text(state(options.to), options.to / "renewed.csv")
        return
    for entry in entries():
        if not options.numbers or entry["number"] in options.numbers:
            print(datetime.now(UTC).isoformat(), entry["number"], flush=True)
            run(entry, options.wesad, options.to)


if __name__ == "__main__":
    main()
