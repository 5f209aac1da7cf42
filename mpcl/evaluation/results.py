"""Results files: every table and figure is drawn from one of these, and it says what made it.

A file holds the variable ``score (method, protocol, level, cohort, seed, participant, metric)``;
combinations that were not computed are NaN. It is written after each step, whole or not at all, so
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
from mpcl.evaluation.floors import CONDITIONAL, FLOORS, NotApplicable
from mpcl.evaluation.metrics import BETTER, LEVELS, SIX
from mpcl.evaluation.protocol import (
    ABLATIONS,
    CHECKS,
    MEMBERS,
    NETWORKS,
    SEEDLESS,
    absent_modalities,
    check_methods,
    run,
)
from mpcl.evaluation.statistics import holm, holm_intervals, improvement, interval, sign_flip
from mpcl.settings import ParameterError, Settings, device_of
from mpcl.splits import folds, names
from mpcl.training import CHUNK

DIMENSIONS = ("method", "protocol", "level", "cohort", "seed", "participant", "metric")
IDENTITY = ("dataset", "settings", "data_fingerprint", "code_fingerprint", "device")  # what a resumed file must share
ALREADY_MANY = {"mpcl-ensemble": 2, "mpcl-stacked": 2}  # seeds, at most: each of them is a mean over networks or folds
LEAK = "-leak.nc"  # how files with a leaky protocol end


def evaluate(dataset, methods="all", protocol="participants", seeds=(0,), settings=None, device="auto", out=None,
             progress=False):
    """Score methods on held-out windows, floors always among them.

    Args:
        dataset: a data set that follows the contract, or a list of simulated cohorts.
        methods: names, ``all`` or ``floors``.
        protocol: name of a split, see :mod:`mpcl.splits`, or a list of them.
        seeds: model seeds.
        settings: :class:`mpcl.settings.Settings`; the defaults if None.
        device: see :func:`mpcl.settings.device_of`.
        out: a results file to write after each step; one that is there is resumed. None writes nothing.
        progress: show one text bar on a terminal.

    Returns:
        :class:`xarray.Dataset` of scores.

    Raises:
        DatasetError: for unknown names, or if ``out`` is of another evaluation.
        ParameterError: if ``out`` does not say that a protocol leaks.
    """
    methods, seeds, settings = check_methods(methods), list(seeds), settings or Settings()
    cohorts = [dataset] if isinstance(dataset, xr.Dataset) else list(dataset)
    protocols = [protocol] if isinstance(protocol, str) else list(protocol)
    if out is not None and any("leak" in name for name in protocols) and not str(out).endswith(LEAK):
        raise ParameterError(f"the protocol leaks, and the name of its file must say so: end it in {LEAK}")
    counts = {name: [len(folds(one, name)) for one in cohorts] for name in protocols}
    results = empty(cohorts, methods, protocols, seeds, settings, device_of(device))
    if out is not None and Path(out).exists():
        results = resume(results, out)
    todo = list(steps(results, methods, counts, seeds, CHUNK[device_of(device).type]))
    if out is not None and todo:
        note(results, out)
    with tqdm(todo, disable=None if progress else True, unit="step") as bar:
        for method, name, place, some in bar:
            bar.set_postfix_str(f"{method}, {name}", refresh=True)
            try:
                scored = run(cohorts[place], method, name, some, settings, device)
            except NotApplicable as reason:
                scored = []
                results.attrs["not_applicable"] = json.dumps(reasons(results) | {f"{method}, {name}": str(reason)})
            for seed, levels in zip(some, scored, strict=False):
                at = {"method": method, "protocol": name, "cohort": results.cohort.values[place], "seed": seed}
                for level, scores in levels.items():
                    results.score.loc[{**at, "level": level, "participant": scores.participant}] = scores.values
            if out is not None:
                write_netcdf(results, out)
    return results


def note(results, out):
    """Write down what is about to run, in ``runs.csv`` beside the results file, before there is any score.

    So that the file shows which configurations were looked at on held-out participants, and how often.

    Args:
        results: a results data set.
        out: its file.
    """
    facts = {name: results.attrs[name] for name in ("commit", "code_fingerprint", "dataset", "label_recipe",
                                                    "conditions", "features", "normalisation")}
    known = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "file": Path(out).name, **facts,
             "protocols": " ".join(results.protocol.values), "seeds": results.sizes["seed"],
             "cohorts": results.sizes["cohort"], "methods": " ".join(results.method.values),
             "settings": results.attrs["settings"]}
    log = Path(out).with_name("runs.csv")
    log.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([known]).to_csv(log, mode="a", header=not log.exists(), index=False)


def steps(results, methods, counts, seeds, together):
    """What is still to be computed, floors first.

    Args:
        results: a results data set.
        methods: names.
        counts: dict from protocol to the number of folds of each cohort.
        seeds: list of int; methods without randomness take the first alone, those of ``ALREADY_MANY`` the first few.
        together: networks trained in one step, at most; an interruption loses no more.

    Yields:
        (method, protocol, place of the cohort, seeds), networks of several seeds together.
    """
    there = results.score.sel(level="window", metric="chebyshev").notnull().any("participant")
    for protocol in counts:
        for method in methods:
            if f"{method}, {protocol}" in reasons(results):
                continue
            for place, count in enumerate(counts[protocol]):
                done = there.sel({"method": method, "protocol": protocol}).isel(cohort=place)
                wanted = seeds[:1] * (not done.any()) if method in SEEDLESS else seeds
                wanted = [seed for seed in wanted[: ALREADY_MANY.get(method)] if not done.sel(seed=seed)]
                several = count * (MEMBERS if method == "mpcl-ensemble" else 1)
                size = max(1, together // several) if method in NETWORKS else 1
                yield from ((method, protocol, place, wanted[at : at + size]) for at in range(0, len(wanted), size))


def reasons(results):
    """Which floors do not apply, and why: dict from ``method, protocol`` to a reason."""
    return json.loads(results.attrs.get("not_applicable", "{}"))


def empty(cohorts, methods, protocols, seeds, settings, device):
    """A results data set with every score still missing, and all that says what will make it.

    Args:
        cohorts: list of data sets that follow the contract.
        methods, protocols: names.
        seeds: list of int.
        settings: :class:`mpcl.settings.Settings`.
        device: :class:`torch.device`.

    Returns:
        :class:`xarray.Dataset`.
    """
    numbers = [int(one.attrs.get("cohort_seed", 0)) for one in cohorts]
    if len(set(numbers)) < len(numbers):
        raise DatasetError("several cohorts are given the same number; 'cohort_seed' must differ")
    coords = {
        "method": list(methods), "protocol": list(protocols), "level": list(LEVELS), "cohort": numbers,
        "seed": list(map(int, seeds)), "participant": sorted({name for one in cohorts for name in names(one)}),
        "metric": list(BETTER), "better": ("metric", list(BETTER.values())),
    }
    score = xr.DataArray(np.nan, dims=DIMENSIONS, coords=coords)
    described = {name: str(cohorts[0].attrs.get(name, "")) for name in
                 ("dataset", "label_recipe", "conditions", "features", "licence", "citation")}
    absent = dict.fromkeys(name for one in cohorts for name in absent_modalities(one))
    return xr.Dataset({"score": score}, attrs={
        **described, "normalisation": settings.normalisation, "settings": json.dumps(asdict(settings), sort_keys=True),
        "missing_modalities": ", ".join(absent), "windows": sum(one.sizes["window"] for one in cohorts),
        "trials": sum(len(set(one.trial.values.tolist())) for one in cohorts), "emotions": cohorts[0].sizes["emotion"],
        "not_applicable": "{}", "code_fingerprint": provenance.model_code(),
        "data_fingerprint": " ".join(map(fingerprint, cohorts)),
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


def complete(results, protocol=None):
    """The methods that have scores of everybody who was held out.

    Args:
        results: a results data set.
        protocol: name; the first by default.

    Returns:
        list of names, in the order of the file.
    """
    there = by_participant(results, protocol).sel(metric="chebyshev").notnull()
    if "uniform" not in there.method.values or not there.sel({"method": "uniform"}).any("participant").all():
        return []
    same = (there == there.sel({"method": "uniform"})).all(["cohort", "participant"])
    return [str(name) for name in there.method.values[same.values]]


def intervals(results, protocol=None, level="window", metrics=None):
    """Mean and 95 % interval over participants of every method and metric.

    Args:
        results: a results data set.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.
        metrics: names; all by default.

    Returns:
        :class:`xarray.DataArray` (method, metric, bound) with the bounds mean, lower, upper; methods
        without a complete set of scores are left out.

    Raises:
        DatasetError: if a floor is absent that applies.
    """
    there = complete(results, protocol)
    absent = [name for name in (*FLOORS, *CONDITIONAL) if name not in there and not _excused(results, name, protocol)]
    if absent:
        raise DatasetError(f"{', '.join(absent)}: no scores, and no table without floors; run evaluate again")
    scores = by_participant(results, protocol, level).sel({"method": there, "metric": _known(results, metrics)})
    ordered = scores.transpose("method", "metric", "participant", "cohort")
    return _labelled([[_interval(one) for one in method] for method in ordered.values], ordered)


def change(results, method, against="mpcl", protocol=None, level="window"):
    """The paired difference of a method from another within each participant, seeds averaged.

    A network and its ablations draw the same batches with the same seed, so that they are compared on the seeds that
    both were trained with; a method that has none of its own is compared with the mean over all.

    Args:
        results, protocol, level: see :func:`by_participant`.
        method, against: names; the second is subtracted.

    Returns:
        :class:`xarray.DataArray` (cohort, participant, metric).
    """
    if {method, against} <= {"mpcl", *ABLATIONS}:
        there = results.score.sel({"method": [method, against]}).notnull().any(("participant", "metric", "level"))
        there = there.sel(protocol=protocol or results.protocol.values[0]).all("method").any("cohort")
        results = results.sel(seed=there.values)
    scores = by_participant(results, protocol, level)
    return scores.sel({"method": method}, drop=True) - scores.sel({"method": against}, drop=True)


def differences(results, against="mpcl", others=None, protocol=None, level="window", metrics=None):
    """Paired differences of methods from one of them, with intervals over participants.

    The methods compared are one family: an interval excludes 0 where the difference is beyond chance after Holm.

    Args:
        results: a results data set.
        against: the method that is subtracted.
        others: the methods compared with it; by default all that have a complete set of scores, but no checks.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.
        metrics: names; all by default.

    Returns:
        :class:`xarray.DataArray` (method, metric, bound) with the bounds mean, lower, upper; its coordinates
        ``p`` (method, metric), the sign-flip p-value adjusted after Holm, and ``improvement``, the share of
        participants for whom ``against`` is the better one.

    Raises:
        DatasetError: for a method that has no complete set of scores.
    """
    there = complete(results, protocol)
    others = [m for m in there if m not in CHECKS] if others is None else list(others)
    others = [m for m in others if m != against]
    absent = [m for m in (against, *others) if m not in there]
    if absent:
        raise DatasetError(f"{', '.join(map(str, absent))}: no complete set of scores to compare")
    chosen = results.sel(metric=_known(results, metrics))
    each = [change(chosen, name, against, protocol, level) for name in others]
    compared = xr.concat(each, pd.Index(others, name="method"))
    ordered = compared.transpose("method", "metric", "participant", "cohort")
    values = np.full((*ordered.shape[:2], 3), np.nan)
    found = {name: (("method", "metric"), np.full(ordered.shape[:2], np.nan)) for name in ("p", "improvement")}
    for at, better in enumerate(ordered.better.values):
        family = ordered.values[:, at]  # (method, participant, cohort)
        if np.isfinite(family).any((1, 2)).all():
            values[:, at] = holm_intervals(family)
            found["p"][1][:, at] = holm([sign_flip(one) for one in family])
            found["improvement"][1][:, at] = [improvement(one if better == "lower" else -one) for one in family]
    return _labelled(values, ordered).assign_coords(found)


def leak(results, method="nearest_neighbour", metric="kl", leaky="leaky-windows", honest="participants"):
    """What a leaky split pays a method: its gain on the mean label there, minus its gain under an honest protocol.

    A method that memorises gains much where the same trial stands on both sides, and nothing with new people.

    Args:
        results: a results data set with both protocols.
        method, metric: names.
        leaky, honest: names of the two protocols.

    Returns:
        tuple (mean, lower, upper), the interval over participants; all above 0 for a method that the split pays.
    """
    gains = []
    for protocol in (leaky, honest):
        scores = by_participant(results, protocol).sel(metric=metric)
        gains.append(scores.sel({"method": "mean_label"}) - scores.sel({"method": method}))
    paid = (gains[0] - gains[1]).transpose("participant", "cohort").values
    return interval(paid if BETTER[metric] == "lower" else -paid)


def table(results, protocol=None, level="window", metrics=SIX):
    """The table that a person reads: mean and 95 % interval over participants of each method and metric.

    Args:
        results: a results data set.
        protocol: name; the first by default.
        level: ``window`` or ``trial``.
        metrics: names; the six measures of label distribution learning by default.

    Returns:
        :class:`pandas.DataFrame` of str, methods down, floors first, metrics across.

    Raises:
        DatasetError: if a floor is absent that applies.
    """
    bounds = intervals(results, protocol, level, metrics)
    arrows = {"lower": "↓", "higher": "↑"}
    columns = [f"{k} {arrows[b]}" for k, b in zip(bounds.metric.values, bounds.better.values, strict=True)]
    rows = {name: ["–" if np.isnan(mean) else f"{_short(mean)} {_short(low)}–{_short(high)}" for mean, low, high in one]
            for name, one in zip(bounds.method.values, bounds.values, strict=True)}
    floors = {name: rows.get(name, [_excused(results, name, protocol)] * len(columns))
              for name in (*FLOORS, *CONDITIONAL)}
    return pd.DataFrame.from_dict(floors | rows, orient="index", columns=columns)


def difference_table(results, against, protocol=None, level="window", metrics=SIX):
    """The differences that a person reads: mean and interval, a star where beyond chance, and the sign-flip p-value.

    Args:
        results, against, protocol, level: see :func:`differences`.
        metrics: names.

    Returns:
        :class:`pandas.DataFrame` of str, methods down, metrics across.
    """
    found = differences(results, against, None, protocol, level, metrics)
    cells = [[text for one, p in zip(bounds, own, strict=True) for text in
              (" ".join(_short(number, "+") for number in one) + " *"[int(one[1] > 0 or one[2] < 0)], f"{p:.3f}")]
             for bounds, own in zip(found.values, found.p.values, strict=True)]
    columns = [text for metric in found.metric.values for text in (str(metric), "p")]
    return pd.DataFrame(cells, index=list(found.method.values), columns=columns)


def _excused(results, name, protocol):
    """Why a table may be without a floor; empty where it may not."""
    if name in CONDITIONAL and "not_applicable" not in results.attrs:
        return "not computed"  # a file from before these floors
    return "not applicable" if f"{name}, {protocol or results.protocol.values[0]}" in reasons(results) else ""


def _known(results, metrics):
    """Names of metrics that a file has, or a sentence."""
    chosen = [str(name) for name in results.metric.values] if metrics is None else list(metrics)
    unknown = [name for name in chosen if name not in results.metric.values]
    if unknown:
        raise ParameterError(f"unknown metric {unknown[0]!r}; choose from {', '.join(results.metric.values)}")
    return chosen


def _interval(values):
    return interval(values) if np.isfinite(values).any() else (np.nan,) * 3


def _labelled(values, ordered):
    coords = {"method": ordered.method, "metric": ordered.metric, "better": ordered.better,
              "bound": ["mean", "lower", "upper"]}
    return xr.DataArray(values, dims=("method", "metric", "bound"), coords=coords)


def _short(number, sign=""):
    return f"{number:{sign}.4f}".replace("0.", ".", 1) if abs(number) < 1 else f"{number:{sign}.3f}"


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


def apart(results, other, level="window", metrics=("chebyshev", "kl")):
    """How far two runs of one evaluation lie apart: to see whether a result was reproduced.

    Args:
        results, other: results data sets; what only one of them holds is left out.
        level: ``window`` or ``trial``.
        metrics: names.

    Returns:
        :class:`pandas.DataFrame` with a row a method: ``seeds``, how many both hold; for each metric the ``mean``, the
        first minus the second over all that both hold, and ``at most``, the largest that any participant's score with
        any seed is apart.

    Raises:
        DatasetError: if the data set, its labels, the training settings or the normalisation are others.
    """
    which = [name for name in ("dataset", "label_recipe", "conditions", "features", "settings")
             if results.attrs.get(name) != other.attrs.get(name)]
    if which:
        raise DatasetError(f"these are two evaluations, not one run twice: another {' and '.join(which)}")
    difference = xr.align(*(one.score.sel(level=level, metric=list(metrics)) for one in (results, other)))
    difference = (difference[0] - difference[1]).dropna("method", how="all")
    rest = [name for name in difference.dims if name not in ("method", "metric")]
    columns = {"seeds": difference.notnull().any([name for name in difference.dims if name not in ("method", "seed")])
               .sum("seed").to_series()}
    for metric in metrics:
        own = difference.sel(metric=metric)
        columns[f"{metric} mean"] = own.mean(rest).to_series()
        columns[f"{metric} at most"] = abs(own).max(rest).to_series()
    return pd.DataFrame(columns, index=pd.Index(difference.method.values, name="method"))


def describe(results):
    """One paragraph on what made a results file.

    Args:
        results: a results data set.

    Returns:
        str.
    """
    facts = results.attrs
    recipe = f", labels {facts['label_recipe']}, conditions {facts['conditions']}" if facts["label_recipe"] else ""
    cohorts = f"{results.sizes['cohort']} cohorts of " * (results.sizes["cohort"] > 1)
    return (
        f"{facts['dataset']}{recipe}: {cohorts}{results.sizes['participant']} participants, {facts['trials']} trials, "
        f"{facts['windows']} windows, {facts['emotions']} emotions; protocol {', '.join(results.protocol.values)}; "
        f"{results.sizes['seed']} seed{'s' * (results.sizes['seed'] > 1)}; normalisation {facts['normalisation']}"
        + (f"; missing everywhere: {facts['missing_modalities']}" if facts["missing_modalities"] else "")
        + "".join(f"; {which} not applicable: {why}" for which, why in reasons(results).items())
    )
