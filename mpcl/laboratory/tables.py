"""A study in tables, CSV or Parquet, to a data set, by a plan in YAML.

The plan says what no table tells: which columns make a modality and in what units, the
unit of time, the scale of the answers, which emotions are pleasant, and on what terms
the data may be used. What is wrong is named with file, row and column; the header is
row 1. Without ``emotions`` the result is recordings without labels.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.data import catalogue, contract, labels, storable
from mpcl.errors import DatasetError, ParameterError
from mpcl.laboratory import form, recordings, signals
from mpcl.laboratory import plan as plans
from mpcl.laboratory.cells import SHOWN, Table, read_table

REQUIRED = ("dataset", "licence", "citation", "columns", "time", "modalities")
OPTIONAL = (
    "windows", "recordings", "window", "step", "answers", "emotions", "scale",
    "epsilon", "unanswered", "separator", "decimal",
)  # fmt: skip
COLUMNS = ("participant", "clip", "trial", "condition", "start", "stop")
SHORTEST, LONGEST = 0.2, 1800.0  # s of a window; beyond, its unit is doubted
LEAVE_OUT = "leave out"  # a trial without an answer, in place of filling it in
Frames = Mapping[str, pd.DataFrame]


def prepare(plan: str | Path | None, out: str | Path) -> str:
    """Write the data set of a plan, and say what it holds."""
    if plan is None:
        raise ParameterError("give the plan: mpcl prepare tables study.yml --out ...")
    dataset = read(plan)
    if "distribution" in dataset:
        contract.write(dataset, catalogue.replaceable(out, dataset))
        return contract.summary(dataset)
    recordings.write(dataset, out)
    return recordings.summary(dataset)


def read(path: str | Path) -> xr.Dataset:
    """The data set of a plan; its files are named from the folder of the plan.

    Raises:
        ParameterError: if there is no plan in YAML.
        DatasetError: for everything that is wrong in the plan, or in the files.
    """
    return assemble(plans.read(path), folder=Path(path).parent)


def assemble(
    plan: dict[str, Any], tables: Frames | None = None, folder: str | Path = "."
) -> xr.Dataset:
    """The data set of a plan.

    Args:
        plan: what ``study.yml`` holds.
        tables: frames by the names that the plan gives to files; the others are read.
        folder: where the files are.

    Raises:
        DatasetError: for everything that is wrong in the plan, or in the tables.
    """
    _check_form(plan)
    _check_plan(plan)
    separator, decimal = plan.get("separator", ","), plan.get("decimal", ".")

    def table(name: str) -> Table:
        if tables is not None and name in tables:
            return Table(name, tables[name].reset_index(drop=True), decimal)
        return read_table(Path(folder), name, separator, decimal)

    described = table(plan.get("windows") or plan["recordings"])
    if "windows" in plan:
        study, rows = _of_windows(plan, described), np.arange(len(described.frame))
    else:
        study, rows = signals.extracted(plan, described, table)
    study.attrs |= {
        "dataset": str(plan["dataset"]),
        "licence": str(plan["licence"]),
        "citation": str(plan["citation"]),
        "created_by": "mpcl.laboratory.tables",
        "contract_version": contract.CONTRACT_VERSION,
    }
    names = _names(plan["columns"], described)
    described.refuse()
    for name, values in names.items():
        study.coords[name] = ("window", values[rows])
    if "emotions" not in plan:
        return recordings.checked(study)
    answers = table(plan["answers"]) if "answers" in plan else described
    return _labelled(study, plan, described, answers, rows)


def _check_form(plan: object) -> None:
    """Refuse what has no keys and values, or values of another kind."""
    if not isinstance(plan, dict):
        raise DatasetError("the plan: it needs keys and values")
    if wrong := form.violations(plan):
        raise DatasetError(f"the plan: {'; '.join(wrong)}")


def _check_plan(plan: dict[str, Any]) -> None:
    """Refuse a plan that lacks something, or has a key that means nothing."""
    wrong = [f"the key {key!r} is missing" for key in REQUIRED if key not in plan]
    wrong += plans.unknown(plan, (*REQUIRED, *OPTIONAL))
    if ("windows" in plan) == ("recordings" in plan):
        wrong.append("give either 'windows', a row a window, or 'recordings'")
    columns, kinds = plan.get("columns", {}), f"columns: choose from {COLUMNS}"
    wrong += [f"{kinds}, not {key!r}" for key in columns if key not in COLUMNS]
    if "participant" not in columns or not {"clip", "trial"} & {*columns}:
        wrong.append("columns: name that of the participant, and of clip or trial")
    if "windows" in plan and not {"start", "stop"} <= {*columns}:
        wrong.append("columns: name those in which a window has its start and stop")
    if plan.get("time", "s") not in signals.SECONDS:
        wrong.append(
            f"time must be {' or '.join(signals.SECONDS)}, not {plan['time']!r}"
        )
    if "emotions" in plan and "scale" not in plan:
        wrong.append(f"scale: {form.SCALE[1]}")
    choices = (LEAVE_OUT, *labels.IMPUTATIONS)
    if plan.get("unanswered", LEAVE_OUT) not in choices:
        wrong.append(f"unanswered must be {' or '.join(choices)}")
    if wrong:
        raise DatasetError(f"the plan: {'; '.join(wrong)}")


def _names(columns: dict[str, str], table: Table) -> dict[str, np.ndarray]:
    """Participant, trial, clip and condition of each row of a table.

    A trial's name has the participant in it. Without a column of clips each trial is a
    clip of its own; without one of conditions, all are the same.
    """
    person = table.texts(columns["participant"])
    within = table.texts(columns.get("trial") or columns["clip"])
    trial = person + "-" + within
    clip = table.texts(columns["clip"]) if "clip" in columns else trial
    condition = np.full(len(person), recordings.NOT_TOLD, object)
    if "condition" in columns:
        condition = table.texts(columns["condition"])
    return {
        "participant": person,
        "trial": trial,
        "clip": clip,
        "condition": condition,
    }


def _of_windows(plan: dict[str, Any], table: Table) -> xr.Dataset:
    """The modalities of a table with a row a window, and when each window was."""
    study, scale = xr.Dataset(), signals.SECONDS[plan["time"]]
    for name, about in plan["modalities"].items():
        signals.need(name, about, ("branch", "source", "features"))
        features = {
            column: (column, words) if isinstance(words, str) else tuple(words)
            for column, words in about["features"].items()
        }
        values = [table.numbers(column) for column in features]
        names, units = zip(*features.values(), strict=True)
        feature = f"{name}_feature"
        attrs = signals.attributes(about)
        study[name] = (("window", feature), np.stack(values, 1), attrs)
        study.coords[feature] = np.array(names, object)
        study.coords[f"{name}_unit"] = (feature, np.array(units, object))
    for name in ("start", "stop"):
        seconds = scale * table.numbers(plan["columns"][name], needed=True)
        study.coords[name] = ("window", seconds)
    length = study.stop.values - study.start.values
    doubtful = (length > 0) & (length < SHORTEST) | (length >= LONGEST)
    for row in np.flatnonzero(doubtful)[:SHOWN]:
        table.complain(
            row,
            plan["columns"]["stop"],
            f"a window of {length[row]:g} s; is the unit of time {plan['time']!r}?",
        )
    return study


def _labelled(
    study: xr.Dataset,
    plan: dict[str, Any],
    described: Table,
    answers: Table,
    rows: np.ndarray,
) -> xr.Dataset:
    """The study with its ratings and labels; trials that are left out are noted."""
    emotions, (floor, ceiling) = plan["emotions"], plan["scale"]
    rating, is_whole = _ratings(plan, answers)
    answer_of_row = np.arange(len(described.frame))
    if answers is not described:
        answer_of_row = _joined(plan, described, answers)
    described.refuse(answers)
    place = answer_of_row[rows]  # (window,), -1 without an answer
    left_out = place < 0
    left_out[~left_out] = ~is_whole[place[~left_out]]
    notes = [
        f"trial {trial} left out: not, or not wholly, answered"
        for trial in dict.fromkeys(study.trial.values[left_out])
    ]
    if left_out.all():
        raise DatasetError("not one trial is wholly answered", answers.name)
    study["rating"] = (("window", "emotion"), rating[place])
    study.coords["emotion"] = np.array(list(map(str, emotions)), object)
    study.coords["valence"] = ("emotion", list(emotions.values()))
    epsilon = plan.get("epsilon")
    study.attrs |= {
        "rating_scale": f"{floor:g}-{ceiling:g}",
        "label_recipe": "in proportion" if epsilon is None else f"sharp ({epsilon:g})",
        "conditions": str(len(set(study.condition.values))),
    }
    study = study.isel(window=~left_out)
    how = plan.get("unanswered", LEAVE_OUT)
    if how != LEAVE_OUT:
        study["rating"] = labels.impute(study.rating, how, floor)
    study["distribution"] = labels.distribution(study.rating, floor, ceiling, epsilon)
    notes = [*str(study.attrs.get("notes", "")).splitlines(), *notes]
    return contract.check(study.assign_attrs(notes="\n".join(notes)))


def _ratings(plan: dict[str, Any], answers: Table) -> tuple[np.ndarray, np.ndarray]:
    """Answers (row, emotion), and whether each row can be used (row,)."""
    floor, ceiling = plan["scale"]
    columns = [answers.numbers(str(emotion)) for emotion in plan["emotions"]]
    rating = np.stack(columns, 1)  # (row, emotion)
    for column, values in zip(plan["emotions"], columns, strict=True):
        for row in np.flatnonzero((values < floor) | (values > ceiling)):
            sentence = f"{values[row]:g} is off the scale {floor:g} to {ceiling:g}"
            answers.complain(row, str(column), sentence)
        for row in np.flatnonzero(np.isnan(values)) if "unanswered" not in plan else ():
            sentence = "not answered; 'unanswered' in the plan says what to do"
            answers.complain(row, str(column), sentence)
    if floor == 0 and "epsilon" not in plan:
        for row in np.flatnonzero((rating == 0).all(1)):
            sentence = "nothing was felt, so nothing can be shared out; set 'epsilon'"
            answers.complain(row, str(next(iter(plan["emotions"]))), sentence)
    is_filled = plan.get("unanswered", LEAVE_OUT) != LEAVE_OUT
    return rating, np.isfinite(rating).all(1) | is_filled


def _joined(plan: dict[str, Any], described: Table, answers: Table) -> np.ndarray:
    """The row of the answers that belongs to each row (row,), by name; -1 if none."""
    columns = [plan["columns"].get(key) for key in ("participant", "clip", "trial")]
    shared = [name for name in columns if name and name in answers.frame]
    if columns[0] not in shared or len(shared) < 2:
        answers.complain(None, "", f"to join it, it needs the columns {columns}")
        described.refuse(answers)
    keys = list(zip(*(answers.texts(name) for name in shared), strict=True))
    rows: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(keys):
        if key in rows:
            words = f"{' '.join(key)} stands in row {answers.row(rows[key])} already"
            answers.complain(row, shared[-1], words)
        rows[key] = row
    asked = list(zip(*(described.texts(name) for name in shared), strict=True))
    place = np.array([rows.get(key, -1) for key in asked], int)
    alike = {tuple(map(storable.spelling, key)): key for key in keys}
    for row in np.flatnonzero(place < 0):
        other = alike.get(tuple(map(storable.spelling, asked[row])))
        if other is not None:
            words = f"is spelt {' '.join(map(ascii, other))} in {answers.name}"
            words = f"{' '.join(map(ascii, asked[row]))} {words}: give it one name"
            described.complain(row, shared[-1], words)
    if "unanswered" not in plan:
        for row in np.flatnonzero(place < 0):
            words = f"{' '.join(asked[row])} has no answer in {answers.name}"
            described.complain(row, shared[-1], words)
    return place
