"""Results files: every table and figure is drawn from one of these, and it says what made it.

A file holds the variable ``score (method, protocol, level, cohort, seed, participant, metric)``;
combinations that were not computed are NaN. It is written after each fold, whole or not at all, so
that an interrupted evaluation goes on where it stopped.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from mpcl import provenance
from mpcl.data.contract import DatasetError, fingerprint, read_netcdf, write_netcdf
from mpcl.evaluation.floors import FLOORS
from mpcl.evaluation.metrics import BETTER, LEVELS
from mpcl.evaluation.protocol import absent_modalities, check_methods, run, tasks
from mpcl.evaluation.statistics import interval
from mpcl.settings import Settings, device_of
from mpcl.splits import names

DIMENSIONS = ("method", "protocol", "level", "cohort", "seed", "participant", "metric")
IDENTITY = ("dataset", "settings", "data_fingerprint", "code_fingerprint", "device")  # what a resumed file must share


def evaluate(dataset, methods="all", protocol="participants", seeds=(0,), settings=None, device="auto", out=None,
             progress=False):
    """Score methods on held-out participants, floors always among them.

    Args:
        dataset: a data set that follows the contract.
        methods: names, ``all`` or ``floors``.
        protocol: name of a split, see :mod:`mpcl.splits`.
        seeds: model seeds.
        settings: :class:`mpcl.training.Settings`; the defaults if None.
        device: see :func:`mpcl.training.device_of`.
        out: a results file to write after each step; one that is there is resumed. None writes nothing.
        progress: show one text bar on a terminal.

    Returns:
        :class:`xarray.Dataset` of scores.

    Raises:
        DatasetError: for unknown names, or if ``out`` is of another evaluation.
    """
    methods, seeds, settings = check_methods(methods), list(seeds), settings or Settings()
    todo = tasks(dataset, methods, protocol, seeds)
    results = empty(dataset, methods, protocol, seeds, settings, device_of(device))
    if out is not None and Path(out).exists():
        results = resume(results, out)
    cohort = results.cohort.values[0]
    with tqdm(todo, disable=None if progress else True, unit="fit") as bar:
        for fold, method, seed in bar:
            bar.set_postfix_str(method, refresh=False)
            at = {"method": method, "protocol": protocol, "cohort": cohort, "seed": seed}
            held_out = [name for name in names(dataset) if name not in fold]
            if results.score.loc[{**at, "participant": held_out}].notnull().all():
                continue
            for level, scores in run(dataset, (fold, method, seed), settings, device).items():
                results.score.loc[{**at, "level": level, "participant": scores.participant}] = scores.values
            if out is not None:
                write_netcdf(results, out)
    return results


def empty(dataset, methods, protocol, seeds, settings, device):
    """A results data set with every score still missing, and all that says what will make it.

    Args:
        dataset: a data set that follows the contract.
        methods: names.
        protocol: name.
        seeds: list of int.
        settings: :class:`mpcl.training.Settings`.
        device: :class:`torch.device`.

    Returns:
        :class:`xarray.Dataset`.
    """
    coords = {
        "method": list(methods), "protocol": [protocol], "level": list(LEVELS),
        "cohort": [int(dataset.attrs.get("cohort_seed", 0))], "seed": list(map(int, seeds)),
        "participant": sorted(names(dataset)), "metric": list(BETTER),
    }
    score = xr.DataArray(np.nan, dims=DIMENSIONS, coords=coords)
    score = score.assign_coords(better=("metric", list(BETTER.values())))
    described = {name: str(dataset.attrs.get(name, "")) for name in
                 ("dataset", "label_recipe", "conditions", "features", "licence", "citation")}
    absent = absent_modalities(dataset)
    return xr.Dataset({"score": score}, attrs={
        **described, "normalisation": settings.normalisation, "settings": json.dumps(asdict(settings), sort_keys=True),
        "missing_modalities": ", ".join(absent), "windows": dataset.sizes["window"],
        "trials": len(set(dataset.trial.values.tolist())), "emotions": dataset.sizes["emotion"],
        "code_fingerprint": provenance.model_code(), "data_fingerprint": fingerprint(dataset),
        "device": provenance.device_name(device), "versions": json.dumps(provenance.versions()),
        "commit": provenance.commit(), "created": datetime.now(UTC).isoformat(timespec="seconds"),
    })


def resume(results, path):
    """Take over the scores of an earlier file of the same evaluation.

    Args:
        results: what :func:`empty` gives for this evaluation.
        path: the earlier file.

    Returns:
        :class:`xarray.Dataset` that holds both.

    Raises:
        DatasetError: if the file was made by other data, settings, code or on another device.
    """
    earlier = read(path)
    other = [name for name in IDENTITY if earlier.attrs.get(name) != results.attrs[name]]
    if other:
        raise DatasetError(f"this results file was made with another {' and '.join(other)}; "
                           "delete it or choose another file", path)
    together = xr.merge([earlier, results[["score"]]], join="outer", compat="no_conflicts", combine_attrs="override")
    order = {name: list(dict.fromkeys([*results[name].values.tolist(), *together[name].values.tolist()]))
             for name in ("method", "protocol", "level", "metric")}
    return together.reindex(order).assign_attrs(earlier.attrs)


def read(path):
    """Read a results file.

    Args:
        path: a file that :func:`evaluate` wrote.

    Returns:
        :class:`xarray.Dataset`.

    Raises:
        DatasetError: if it is missing, unreadable, or no results file.
    """
    results = read_netcdf(path)
    if "score" not in results or results.score.dims != DIMENSIONS:
        raise DatasetError(f"this is no results file: it needs the variable 'score' {DIMENSIONS}", path)
    return results


def by_participant(results, protocol=None, level="window"):
    """Scores with the seeds averaged within each participant.

    Args:
        results: a results data set.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.

    Returns:
        :class:`xarray.DataArray` (method, cohort, participant, metric).
    """
    protocol = protocol or results.protocol.values[0]
    return results.score.sel(protocol=protocol, level=level).mean("seed", skipna=True)


def intervals(results, protocol=None, level="window"):
    """Mean and 95 % interval over participants of every method and metric.

    Args:
        results: a results data set.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.

    Returns:
        :class:`xarray.DataArray` (method, metric, bound) with the bounds mean, lower, upper; methods
        without a complete set of scores are left out.

    Raises:
        DatasetError: if the floors are not among the methods.
    """
    scores = by_participant(results, protocol, level)
    complete = [m for m in scores.method.values if scores.sel({"method": m}).notnull().all()]
    absent = [name for name in FLOORS if name not in complete]
    if absent:
        raise DatasetError(f"{', '.join(absent)}: no scores, and no table without floors; run evaluate again")
    return _bounds(scores.sel({"method": complete}))


def differences(results, against="mpcl", others=None, protocol=None, level="window"):
    """Paired differences of methods from one of them, with intervals over participants.

    The methods compared are one family: their intervals are widened so that they hold together.

    Args:
        results: a results data set.
        against: the method that is subtracted.
        others: the methods compared with it; all that have a complete set of scores by default.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.

    Returns:
        :class:`xarray.DataArray` (method, metric, bound) with the bounds mean, lower, upper.
    """
    scores = by_participant(results, protocol, level)
    complete = [m for m in scores.method.values if scores.sel({"method": m}).notnull().all()]
    others = [m for m in (complete if others is None else others) if m != against]
    compared = scores.sel({"method": others}) - scores.sel({"method": against}, drop=True)
    return _bounds(compared, family=len(others))


def _bounds(scores, family=1):
    """Mean and interval of (method, cohort, participant, metric) over participants, cohorts outermost."""
    ordered = scores.transpose("method", "metric", "participant", "cohort")
    values = [[interval(one, family=family) for one in method] for method in ordered.values]
    coords = {"method": ordered.method, "metric": ordered.metric, "better": ordered.better,
              "bound": ["mean", "lower", "upper"]}
    return xr.DataArray(values, dims=("method", "metric", "bound"), coords=coords)


def table(results, protocol=None, level="window"):
    """The table that a person reads: mean and 95 % interval over participants of each method and metric.

    Args:
        results: a results data set.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.

    Returns:
        :class:`pandas.DataFrame` of str, methods down, metrics across.
    """
    bounds = intervals(results, protocol, level)

    def short(number):
        return f"{number:.4f}".replace("0.", ".", 1) if abs(number) < 1 else f"{number:.3f}"

    cells = [[f"{short(mean)} {short(low)}–{short(high)}" for mean, low, high in method]
             for method in bounds.values]
    arrows = {"lower": "↓", "higher": "↑"}
    columns = [f"{k} {arrows[b]}" for k, b in zip(bounds.metric.values, bounds.better.values, strict=True)]
    return pd.DataFrame(cells, index=list(bounds.method.values), columns=columns)


def participant_table(results, metric="chebyshev", protocol=None, level="window"):
    """One row a participant, one column a method.

    Args:
        results: a results data set.
        metric: name of a metric.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.

    Returns:
        :class:`pandas.DataFrame` of float.
    """
    scores = by_participant(results, protocol, level).sel(metric=metric).mean("cohort")
    frame = scores.transpose("participant", "method").to_pandas()
    return frame.loc[sorted(frame.index, key=lambda name: (len(name), name))]


def describe(results):
    """One paragraph on what made a results file.

    Args:
        results: a results data set.

    Returns:
        str.
    """
    facts = results.attrs
    recipe = f", labels {facts['label_recipe']}, conditions {facts['conditions']}" if facts["label_recipe"] else ""
    return (
        f"{facts['dataset']}{recipe}: {results.sizes['participant']} participants, {facts['trials']} trials, "
        f"{facts['windows']} windows, {facts['emotions']} emotions; protocol {', '.join(results.protocol.values)}; "
        f"{results.sizes['seed']} seed{'s' * (results.sizes['seed'] > 1)}; normalisation {facts['normalisation']}"
        + (f"; missing everywhere: {facts['missing_modalities']}" if facts["missing_modalities"] else "")
    )
