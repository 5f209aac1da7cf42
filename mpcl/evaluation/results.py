"""Results files: every table and figure is drawn from one, and it says what made it.

A file holds ``score (predictor, reads, protocol, level, cohort, seed, participant,
metric)``; ``reads`` says whether a predictor was given windows or trials. Combinations
that were not computed are NaN. It is written after each step, whole or not at all, so
that an interrupted evaluation goes on where it stopped.
"""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from tqdm import tqdm

from mpcl import provenance
from mpcl.data.contract import fingerprint, measured, modalities, trials
from mpcl.errors import DatasetError, NotApplicable, ParameterError
from mpcl.evaluation import predictions
from mpcl.evaluation.blind import Predictor, equipped
from mpcl.evaluation.metrics import BETTER, LEVELS, participant_scores
from mpcl.evaluation.predict import held_out, studied
from mpcl.evaluation.predictors import (
    READS,
    Methods,
    code_of,
    made,
    most_seeds,
    readings,
)
from mpcl.files import read_netcdf, write_netcdf
from mpcl.locks import claimed
from mpcl.normalisation import FEWEST, without_spread
from mpcl.splits import folds, names
from mpcl.training.settings import Settings, device_of

DIMENSIONS = (
    "predictor", "reads", "protocol", "level", "cohort", "seed", "participant",
    "metric",
)  # fmt: skip
IDENTITY = ("dataset", "settings", "data_fingerprint", "device")  # of a resumed file
DESCRIBED = (
    "dataset", "label_recipe", "conditions", "features", "licence", "citation",
)  # fmt: skip
LEAK = "-leak.nc"  # how files with a leaky protocol end


class Step(NamedTuple):
    """What is computed before the file is written again."""

    predictor: str
    reads: str
    protocol: str
    cohort: int
    seeds: list[int]


def evaluate(
    dataset: xr.Dataset | Sequence[xr.Dataset],
    methods: Methods = "all",
    protocol: str | Sequence[str] = "participants",
    seeds: Iterable[int] = (0,),
    settings: Settings | None = None,
    device: str = "auto",
    out: str | Path | None = None,
    progress: bool = False,
    renew: bool = False,
    reads: str | Sequence[str] | None = None,
    keep_predictions: bool = False,
) -> xr.Dataset:
    """Score predictors on held-out windows, floors always among them.

    Args:
        dataset: follows the contract, or a list of simulated cohorts.
        methods: names, ``all``, ``floors``, ``my_module:Mine``, ``{"mine": Mine()}``,
            or a list of such.
        protocol: see :mod:`mpcl.splits`, or a list of them.
        out: a results file to write after each step; one that is there is resumed.
        progress: show one text bar on a terminal.
        renew: drop the scores in ``out`` of predictors whose code has changed since.
        reads: ``trials``, ``windows`` or both, for predictors that can read either;
            trials by default.
        keep_predictions: keep every prediction too, see
            :mod:`mpcl.evaluation.predictions`.

    Raises:
        DatasetError: if ``out`` is of another evaluation, or of other code.
        ParameterError: for an unknown name, or if ``out`` does not say that it leaks.
        TrainingError: if another run is at work on ``out``.
    """
    settings, seeds = settings or Settings(), list(dict.fromkeys(map(int, seeds)))
    protocols, asked = _listed(protocol), _listed(reads or ())
    cohorts = _numbered([dataset] if isinstance(dataset, xr.Dataset) else dataset)
    predictors = made(methods, settings, device)
    _says_that_it_leaks(out, protocols)
    kept = predictions.folder_for(out, cohorts.values()) if keep_predictions else None
    counts = {
        (name, number): len(folds(cohort, name))
        for name in protocols
        for number, cohort in cohorts.items()
    }
    if unknown := set(asked) - set(READS):
        raise ParameterError(f"reads must be {' or '.join(READS)}, not {min(unknown)}")
    results = empty(cohorts, predictors, protocols, seeds, settings, device)
    with nullcontext() if out is None else claimed(out):
        if out is not None and Path(out).exists():
            results = resume(results, out, renew)
        todo = list(steps(results, predictors, counts, seeds, asked))
        if out is not None and todo:
            write_netcdf(noted(results, todo), out)
        for step in _shown(todo, progress):
            _score(results, predictors[step.predictor], cohorts, step, kept)
            if out is not None:
                write_netcdf(results, out)
    return results


def _shown(todo: Sequence[Step], progress: bool) -> Iterator[Step]:
    """The steps, with one text bar on a terminal."""
    with tqdm(todo, disable=None if progress else True, unit="step") as bar:
        for step in bar:
            bar.set_postfix_str(f"{step.predictor}, {step.protocol}", refresh=True)
            yield step


def _listed(words: str | Sequence[str]) -> list[str]:
    """One word or several as a list, each once."""
    return list(dict.fromkeys([words] if isinstance(words, str) else words))


def _says_that_it_leaks(out: str | Path | None, protocols: Sequence[str]) -> None:
    is_leaky = out is not None and any("leak" in name for name in protocols)
    if is_leaky and not str(out).endswith(LEAK):
        raise ParameterError(
            f"the protocol leaks, and its file's name must say so: end it in {LEAK}"
        )


def _numbered(cohorts: Sequence[xr.Dataset]) -> dict[int, xr.Dataset]:
    """The cohorts by their numbers."""
    numbered = {int(each.attrs.get("cohort_seed", 0)): each for each in cohorts}
    if len(numbered) < len(cohorts):
        raise DatasetError(
            "several cohorts are given the same number; 'cohort_seed' must differ"
        )
    return numbered


def _score(
    results: xr.Dataset,
    predictor: Predictor,
    cohorts: Mapping[int, xr.Dataset],
    step: Step,
    kept: Path | None,
) -> None:
    """Put the scores of a step into the results, or why there are none.

    Its predictions are written into the folder ``kept``, where there is one.
    """
    try:
        dataset = studied(cohorts[step.cohort], step.predictor)
        if len(readings(step.predictor, predictor)) > 1:
            predictor = equipped(predictor, reads=step.reads)
        answers = held_out(dataset, predictor, step.protocol, step.seeds)
    except NotApplicable as reason:
        name = f"{step.predictor}, {step.protocol}"
        notes = reasons(results) | {name: str(reason)}
        results.attrs["not_applicable"] = json.dumps(notes)
        return
    if kept:
        predictions.write(answers, kept, dataset, step.predictor, step.reads)
    place = {
        "predictor": step.predictor,
        "reads": step.reads,
        "protocol": step.protocol,
        "cohort": step.cohort,
    }
    put(results, dataset, answers.predicted, place)


def put(
    results: xr.Dataset,
    dataset: xr.Dataset,
    predicted: xr.DataArray,
    place: Mapping[str, str | int],
) -> None:
    """Score predictions (seed, window, emotion), and put the scores into the results.

    Args:
        place: predictor, reads, protocol and cohort.
    """
    for guess in predicted:
        for level in LEVELS:
            scores = participant_scores(dataset, guess.values, level)
            of_seed = {
                "level": level,
                "seed": guess.seed.item(),
                "participant": scores.participant,
            }
            results.score.loc[{**place, **of_seed}] = scores.values


def noted(results: xr.Dataset, todo: Sequence[Step]) -> xr.Dataset:
    """The results with what is about to run written down, before it has any score.

    So a file shows which configurations were looked at on held-out participants, and
    how often: its attribute ``runs`` is a JSON list.
    """
    run = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit(),
        "predictors": list(dict.fromkeys(step.predictor for step in todo)),
        "reads": list(dict.fromkeys(step.reads for step in todo)),
        "protocols": list(dict.fromkeys(step.protocol for step in todo)),
        "cohorts": list(dict.fromkeys(step.cohort for step in todo)),
        "seeds": sorted({seed for step in todo for seed in step.seeds}),
    }
    runs = json.loads(results.attrs.get("runs", "[]"))
    results.attrs["runs"] = json.dumps([*runs, run])
    return results


def steps(
    results: xr.Dataset,
    predictors: Mapping[str, Predictor],
    counts: Mapping[tuple[str, int], int],
    seeds: Sequence[int],
    asked: Sequence[str] = (),
) -> Iterator[Step]:
    """What is still to be computed, floors first, networks of several seeds together.

    Args:
        counts: number of folds of each protocol and cohort.
        asked: what predictors read that can read both.
    """
    scored = results.score.sel(level="window", metric="chebyshev").notnull()
    is_done = scored.any("participant")
    for (protocol, cohort), (name, predictor) in product(counts, predictors.items()):
        if f"{name}, {protocol}" in reasons(results):
            continue
        able, most = readings(name, predictor), most_seeds(name, predictor)
        together = getattr(predictor, "seeds_together", None)
        for reads in [word for word in able if word in asked] or able[:1]:
            done = is_done.sel(
                predictor=name, reads=reads, protocol=protocol, cohort=cohort
            )
            if most == 1 and done.any():
                continue
            missing = [seed for seed in seeds[:most] if not done.sel(seed=seed)]
            size = together(counts[protocol, cohort]) if together else 1
            for at in range(0, len(missing), size):
                yield Step(name, reads, protocol, cohort, missing[at : at + size])


def reasons(results: xr.Dataset) -> dict[str, str]:
    """What does not apply, and why, by ``predictor, protocol``."""
    return json.loads(results.attrs.get("not_applicable", "{}"))


def empty(
    cohorts: Mapping[int, xr.Dataset],
    predictors: Mapping[str, Predictor],
    protocols: Sequence[str],
    seeds: Sequence[int],
    settings: Settings,
    device: str = "auto",
) -> xr.Dataset:
    """Results with every score missing, and all that says what will make them."""
    people = {name for cohort in cohorts.values() for name in names(cohort)}
    coords: dict[str, Any] = {
        "predictor": list(predictors),
        "reads": list(READS),
        "protocol": list(protocols),
        "level": list(LEVELS),
        "cohort": list(cohorts),
        "seed": list(seeds),
        "participant": sorted(people),
        "metric": list(BETTER),
        "better": ("metric", list(BETTER.values())),
    }
    score = xr.DataArray(np.nan, coords, DIMENSIONS)
    codes = {name: code_of(name, each) for name, each in predictors.items()}
    about = {
        **_about(list(cohorts.values())),
        "normalisation": settings.normalisation,
        "notes": _notes(cohorts.values(), settings),
        "settings": json.dumps(asdict(settings), sort_keys=True),
        "not_applicable": "{}",
        "code_fingerprint": json.dumps(codes),
        "device": _device_name(predictors.values(), device),
        "versions": json.dumps(provenance.versions()),
        "commit": provenance.commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return xr.Dataset({"score": score}, attrs=about)


def _about(cohorts: list[xr.Dataset]) -> dict[str, str | int]:
    """What a results file says of the data."""
    described = {name: str(cohorts[0].attrs.get(name, "")) for name in DESCRIBED}
    absent: list[str] = []
    for cohort in cohorts:
        with_values = measured(cohort)
        absent += [name for name in modalities(cohort) if name not in with_values]
    return {
        **described,
        "missing_modalities": ", ".join(dict.fromkeys(absent)),
        "windows": sum(cohort.sizes["window"] for cohort in cohorts),
        "trials": sum(len(trials(cohort).names) for cohort in cohorts),
        "emotions": cohorts[0].sizes["emotion"],
        "data_fingerprint": " ".join(map(fingerprint, cohorts)),
    }


def _notes(cohorts: Iterable[xr.Dataset], settings: Settings) -> str:
    """What a reader of the table must know of how the data were taken."""
    people = [name for cohort in cohorts for name in without_spread(cohort)]
    if settings.normalisation != "transductive" or not people:
        return ""
    return (
        f"transductive leaves nothing of {len(people)} participants with fewer than "
        f"{FEWEST} windows, or all alike: scaled by the training windows"
    )


def _device_name(predictors: Iterable[Predictor], device: str) -> str:
    """Where predictions are computed; torch is loaded only where it may be used."""
    may_use = any(hasattr(p, "device") or hasattr(p, "fit_folds") for p in predictors)
    if may_use or device not in ("auto", "cpu"):
        return provenance.device_name(device_of(device))
    return f"cpu ({platform.machine()})"


def resume(results: xr.Dataset, path: str | Path, renew: bool = False) -> xr.Dataset:
    """Take over the scores of an earlier file of the same evaluation.

    Args:
        results: what :func:`empty` gives for this evaluation.
        renew: leave out the scores of predictors whose code has changed since.

    Raises:
        DatasetError: if the file was made by other data, settings or code, or on
            another device.
    """
    earlier = read(path)
    other = [key for key in IDENTITY if earlier.attrs.get(key) != results.attrs[key]]
    if other:
        raise DatasetError(
            f"this results file was made with another {' and '.join(other)}; "
            "delete it or choose another file",
            path,
        )
    changed = _changed(earlier, results)
    if changed and not renew:
        raise DatasetError(
            f"the code of {', '.join(changed)} has changed since this file was made; "
            "renew their scores with renew=True (--renew), or choose another file",
            path,
        )
    return together(_without(earlier, changed), results)


def _codes(results: xr.Dataset) -> dict[str, str]:
    return json.loads(results.attrs["code_fingerprint"])


def _changed(earlier: xr.Dataset, results: xr.Dataset) -> list[str]:
    """Predictors of this evaluation that other code scored; unknown code is other."""
    before, now = _codes(earlier), _codes(results)
    is_scored = earlier.score.notnull().any(DIMENSIONS[1:])
    scored = set(map(str, earlier.predictor.values[is_scored.values]))
    scored |= {name.partition(", ")[0] for name in reasons(earlier)}
    return [
        name
        for name, code in now.items()
        if name in scored and (before.get(name) != code or not code)
    ]


def _without(results: xr.Dataset, predictors: list[str]) -> xr.Dataset:
    """Results without the scores of some predictors, and why they had none."""
    kept = {
        name: reason
        for name, reason in reasons(results).items()
        if name.partition(", ")[0] not in predictors
    }
    score = results.score.where(~results.predictor.isin(predictors))
    return results.assign(score=score).assign_attrs(not_applicable=json.dumps(kept))


def together(earlier: xr.Dataset, results: xr.Dataset) -> xr.Dataset:
    """Both, in the order of the evaluation that goes on."""
    both = xr.merge(
        [earlier, results[["score"]]],
        join="outer",
        compat="no_conflicts",
        combine_attrs="override",
    )
    order = {
        name: results.indexes[name].union(both.indexes[name], sort=False)
        for name in ("predictor", "reads", "protocol", "level", "metric")
    }
    codes = json.dumps(_codes(earlier) | _codes(results))
    return both.reindex(order).assign_attrs(earlier.attrs, code_fingerprint=codes)


def read(path: str | Path) -> xr.Dataset:
    """Read a results file.

    Raises:
        DatasetError: if it is missing, unreadable, or no results file.
    """
    results = read_netcdf(path)
    if "score" not in results or results.score.dims != DIMENSIONS:
        raise DatasetError(
            f"this is no results file: it needs the variable 'score' {DIMENSIONS}", path
        )
    return results
