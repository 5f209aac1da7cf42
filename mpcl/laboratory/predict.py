"""Predict recordings of new people with a kept model, and say what each rests on."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.data.contract import Trials, fingerprint, missing, modalities, trials
from mpcl.data.storable import spelling
from mpcl.errors import DatasetError, ParameterError
from mpcl.files import write_netcdf, write_text
from mpcl.laboratory import recordings
from mpcl.laboratory.cells import Table, read_table
from mpcl.laboratory.kept import load
from mpcl.laboratory.model import KeptModel, ask, unfamiliar
from mpcl.splits import names as names_of

SUFFIXES = (".nc", ".csv")
ODD = 0.95  # share of training trials; beyond it a trial is counted as unfamiliar
FLAGS = ("trained_on", "answered")
COORDINATES = ("participant", "trial", "start", "stop")


def from_files(
    folder: str | Path,
    new: str | Path,
    out: str | Path,
    answers: str | None = None,
    device: str = "cpu",
) -> str:
    """Write the predictions of a model that was kept, and say what they are of.

    Raises:
        ParameterError: if ``out`` is there, or is no name of predictions.
    """
    out = Path(out)
    if out.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"{out}: predictions end in {' or '.join(SUFFIXES)}")
    if out.exists():
        raise ParameterError(f"{out} is there, and is not replaced; choose another")
    model, dataset = load(folder), recordings.read(new)
    table = None if answers is None else read_table(Path(), answers)
    predictions = predict(model, dataset, table, device)
    write(predictions, out)
    return describe(predictions)


def predict(
    model: KeptModel,
    dataset: xr.Dataset,
    answers: Table | None = None,
    device: str = "cpu",
) -> xr.Dataset:
    """Predicted distributions, one a trial, and what each of them rests on.

    Args:
        dataset: recordings; labels need not be there and are not read.
        answers: of the same people to some of these trials, see :func:`answered`.

    Returns:
        ``predicted (trial, emotion)``; ``energy (trial)``, and ``unfamiliar (trial)``,
        the share of training trials with less of it; ``read (trial, modality)``, which
        modalities were read; ``trained_on (trial)``, whether somebody of that name
        trained the model; ``answered (trial)``.

    Raises:
        DatasetError: for recordings that break the contract, or do not fit the model.
    """
    laid_out = aligned(model, recordings.checked(dataset))
    grouped = trials(laid_out)
    labels = np.full((len(grouped.names), model.layout.sizes["emotion"]), np.nan)
    if answers is not None:
        labels = answered(model, grouped.names.tolist(), answers)
    asked = ask(model, laid_out, labels, device)
    energy = np.full(len(asked.energy), np.nan)
    has_energy = np.isfinite(asked.energy).any(1)
    energy[has_energy] = np.nanmean(asked.energy[has_energy], 1)
    trained = _trained(model, laid_out)
    person = laid_out.participant.values.astype(str)[grouped.first]
    return xr.Dataset(
        {
            "predicted": (("trial", "emotion"), asked.predicted),
            "energy": ("trial", energy),
            "unfamiliar": ("trial", unfamiliar(model, asked.energy)),
            "read": (("trial", "modality"), asked.present),
            "trained_on": ("trial", np.isin(person, trained)),
            "answered": ("trial", np.isfinite(labels).all(1)),
        },
        {
            **_coordinates(laid_out, grouped),
            "emotion": model.layout.emotion,
            "valence": model.layout.valence,
            "modality": model.modalities,
        },
        _about(model, dataset, asked.present),
    )


def _trained(model: KeptModel, dataset: xr.Dataset) -> list[str]:
    """Participants with the name of one who trained the model, however it is spelt."""
    trained = {spelling(name) for name in model.about["training"]["participants"]}
    return [name for name in names_of(dataset) if spelling(name) in trained]


def answered(model: KeptModel, names: list[str], answers: Table) -> np.ndarray:
    """Labels (trial, emotion) of some trials, NaN for the others.

    Args:
        answers: a row a trial, with the columns ``trial`` and one for each emotion, on
            the scale of the study that trained the model.

    Raises:
        DatasetError: for a trial that is not there, or an answer that is none.
        ParameterError: if the model never learned what answers of one's own tell.
    """
    if not model.about["own"]:
        raise ParameterError("the model was not scored, so no answers can correct it")
    training = model.about["training"]
    if "sharp" in training["label_recipe"]:
        raise ParameterError(
            f"its labels were made as {training['label_recipe']!r}; answers of one's "
            "own are shared out in proportion"
        )
    rows = answers.texts("trial")
    for row in np.flatnonzero(~np.isin(rows, names)):
        answers.complain(row, "trial", f"{rows[row]!r} is no trial of these recordings")
    for row in range(len(rows)):
        if rows[row] in rows[:row]:
            words = f"{rows[row]!r} was answered in a row before"
            answers.complain(row, "trial", words)
    emotions = model.layout.emotion.values.tolist()
    rating = np.stack([answers.numbers(name, needed=True) for name in emotions], 1)
    for row in np.flatnonzero((rating < 0).any(1) | ~(rating.sum(1) > 0)):
        answers.complain(row, "", "answers must not be negative, and not all be 0")
    answers.refuse()
    shares = pd.DataFrame(rating / rating.sum(1, keepdims=True), list(rows))
    return np.asarray(shares.reindex(names))


def _about(
    model: KeptModel, dataset: xr.Dataset, present: np.ndarray
) -> dict[str, str]:
    """What predicted what, and what a reader must know of it."""
    return {
        "predictor": model.predictor,
        "model": model.about.get("fingerprint", "not kept"),
        "trained_on": model.about["training"]["dataset"],
        "recordings": str(dataset.attrs.get("dataset", "")),
        "recordings_fingerprint": fingerprint(dataset),
        "normalisation": model.settings.normalisation,
        "notes": "\n".join(_notes(model, dataset, present)),
    }


def _coordinates(dataset: xr.Dataset, grouped: Trials) -> dict[str, object]:
    """Who, when, and of how many windows each trial is."""
    return {
        "trial": grouped.names.astype(object),
        "participant": ("trial", dataset.participant.values[grouped.first]),
        "start": ("trial", grouped.least(dataset.start.values)),
        "stop": ("trial", -grouped.least(-dataset.stop.values)),
        "windows": ("trial", grouped.counts),
    }


def _notes(model: KeptModel, dataset: xr.Dataset, present: np.ndarray) -> list[str]:
    """What a reader of the predictions must know."""
    notes: list[str] = []
    for name, lost in zip(model.modalities, (~present).sum(0), strict=True):
        if lost == len(present):
            notes.append(f"{name} is missing everywhere: predicted without it")
        elif lost:
            notes.append(f"{name} is missing in {lost} of {len(present)} trials")
    for name in modalities(dataset):
        if name not in model.modalities:
            notes.append(f"{name} was not read: the model does not know it")
    empty = (~present.any(1)).sum()
    if empty:
        notes.append(
            f"nothing was read in {empty} trials: do not use their predictions"
        )
    trained = _trained(model, dataset)
    if trained:
        notes.append(
            f"{len(trained)} of these participants have the name of one who trained "
            "the model: if they are the same people, these are no predictions"
        )
    return notes


def aligned(model: KeptModel, dataset: xr.Dataset) -> xr.Dataset:
    """Recordings with the modalities and features of a model, in its order.

    A modality that is not there is missing in every window; one that the model does not
    know is left out.

    Raises:
        DatasetError: for other features, units, branches or emotions.
    """
    layout, windows = model.layout, dataset.sizes["window"]
    violations = _of_emotions(layout, dataset)
    laid_out = xr.Dataset(coords={name: dataset[name] for name in COORDINATES})
    for name in model.modalities:
        feature, present = f"{name}_feature", name in modalities(dataset)
        differences = _of_modality(layout, dataset, name) if present else []
        values = np.full((windows, layout.sizes[feature]), np.nan)
        if present and not differences:
            values = dataset[name].sel({feature: layout[feature].values}).values
        laid_out[name] = (("window", feature), values.astype(float), layout[name].attrs)
        violations += differences
    if not violations and missing(laid_out).all():
        violations = [f"nothing was measured of {', '.join(model.modalities)}"]
    if violations:
        sentence = "; ".join(violations)
        raise DatasetError(f"the model cannot read these recordings: {sentence}")
    return laid_out


def _of_emotions(layout: xr.Dataset, dataset: xr.Dataset) -> list[str]:
    """What is wrong with the label set, where recordings have one."""
    if "emotion" not in dataset.coords:
        return []
    ours, theirs = (
        _listed(
            f"{name} ({sign:+g})" for name, sign in each.valence.to_series().items()
        )
        for each in (layout, dataset)
    )
    return [] if ours == theirs else [f"its emotions are {ours}, theirs {theirs}"]


def _of_modality(layout: xr.Dataset, dataset: xr.Dataset, name: str) -> list[str]:
    """What is wrong with a modality."""
    ours, theirs = (
        each[f"{name}_unit"].to_series().to_dict() for each in (layout, dataset)
    )
    words: list[str] = []
    if lacking := ours.keys() - theirs.keys():
        words.append(f"{name} lacks {_listed(lacking)}")
    if more := theirs.keys() - ours.keys():
        words.append(f"{name} has {_listed(more)}, which the model does not know")
    words += [
        f"{name} {key} is in {theirs[key]}, the model reads {ours[key]}"
        for key in ours
        if theirs.get(key, ours[key]) != ours[key]
    ]
    branch = layout[name].attrs["branch"]
    if dataset[name].attrs["branch"] != branch:
        words.append(
            f"{name} is {dataset[name].attrs['branch']}, to the model {branch}"
        )
    return words


def _listed(names: object) -> str:
    return ", ".join(sorted(names))  # pyrefly: ignore  # of an iterable of text


def frame(predictions: xr.Dataset) -> pd.DataFrame:
    """One row a trial: who, when, a column an emotion, and what it rests on."""
    shares = predictions.predicted.to_pandas().add_prefix("share_")
    names, present = predictions.modality.values, predictions["read"].values
    read = ["+".join(names[row]) for row in present]
    table = predictions[["energy", "unfamiliar", *FLAGS]].to_dataframe()
    return table.join(shares).assign(read=read)


def describe(predictions: xr.Dataset) -> str:
    """What predictions are of, in a few lines."""
    people = len(set(predictions.participant.values))
    odd = int((predictions.unfamiliar > ODD).sum())
    lines = [
        f"{predictions.sizes['trial']} trials of {people} participants; {odd} have "
        f"more energy than {ODD:.0%} of the training trials",
        *predictions.attrs["notes"].splitlines(),
    ]
    return "\n".join(lines)


def write(predictions: xr.Dataset, path: Path) -> Path:
    """Write predictions as netCDF, or as a table where the name ends in ``.csv``."""
    if path.suffix.lower() == ".csv":
        return write_text(frame(predictions).to_csv(), path)
    return write_netcdf(predictions, path)
