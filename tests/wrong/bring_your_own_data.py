"""Answers to the exercises of the page on data of one's own."""

import numpy as np

from mpcl.laboratory import tables
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("all trials", "all labels of a trial are the same")
def uneven(dataset):
    return sorted(set(dataset.trial.values.tolist()))


@wrong("none", "names of their trials")
def uneven(dataset):
    return []


@wrong("numbers in place of names", "names of their trials")
def uneven(dataset):
    each = dataset.distribution.groupby("trial")
    spread = (each.max() - each.min()).max("emotion").values
    return np.flatnonzero(spread > 1e-9).tolist()


@wrong("windows, not trials", "names of their trials")
def uneven(dataset):
    each = dataset.distribution.groupby("trial")
    spread = (each.max() - each.min()).max("emotion")
    bad = spread.trial.values[spread.values > 1e-9]
    return sorted(dataset.trial.values[np.isin(dataset.trial.values, bad)].tolist())


@wrong("not sorted", "sorted")
def uneven(dataset):
    each = dataset.distribution.groupby("trial")
    spread = (each.max() - each.min()).max("emotion")
    return sorted(spread.trial.values[spread.values > 1e-9].tolist())[::-1]


@wrong("the even ones", "all labels of a trial are the same")
def uneven(dataset):
    each = dataset.distribution.groupby("trial")
    spread = (each.max() - each.min()).max("emotion")
    return sorted(spread.trial.values[spread.values < 1e-9].tolist())


@right("a loop")
def uneven(dataset):
    bad = []
    names = dataset.trial.values
    for name in sorted(set(names.tolist())):
        label = dataset.distribution.values[names == name]
        if not np.allclose(label, label[0]):
            bad.append(name)
    return bad


@right("by the standard deviation, as an array")
def uneven(dataset):
    spread = dataset.distribution.groupby("trial").std().max("emotion")
    return np.sort(spread.trial.values[spread.values > 1e-9])


def breathing(study, rate, feature="rate", unit="1/min", branch="physiological"):
    facts = {"branch": branch, "source": "chest belt"}
    values = np.asarray(rate, float)[:, None]
    more = study.assign(breath=(("window", "breath_feature"), values, facts))
    return more.assign_coords(
        breath_feature=[feature], breath_unit=("breath_feature", [unit])
    )


@wrong("no attributes", "third physiological")
def with_breath(study, rate):
    more = study.assign(breath=(("window", "breath_feature"), rate[:, None]))
    return more.assign_coords(
        breath_feature=["rate"], breath_unit=("breath_feature", ["1/min"])
    )


@wrong("the other branch", "third physiological")
def with_breath(study, rate):
    return breathing(study, rate, branch="behavioural")


@wrong("no unit", "breath")
def with_breath(study, rate):
    facts = {"branch": "physiological", "source": "chest belt"}
    more = study.assign(breath=(("window", "breath_feature"), rate[:, None], facts))
    return more.assign_coords(breath_feature=["rate"])


@wrong("another unit", "1/min")
def with_breath(study, rate):
    return breathing(study, rate, unit="Hz")


@wrong("the mean rate everywhere", "a rate for each window")
def with_breath(study, rate):
    return breathing(study, np.full(len(rate), rate.mean()))


@wrong("the study as it was", "third physiological")
def with_breath(study, rate):
    return study


@right("with a word on its source")
def with_breath(study, rate):
    more = breathing(study, rate)
    more.breath.attrs["source"] = "a belt around the chest"
    return more


@right("from numbers as text")
def with_breath(study, rate):
    return breathing(study.copy(deep=True), [float(str(value)) for value in rate])


def of(windows, answers):
    """The windows of the trials that were answered."""
    return windows.merge(answers[["person", "film"]])


@wrong("the holes stay", ".")
def assemble_answered(windows, answers):
    return assemble(windows, answers)  # noqa: F821


@wrong("filled with the lowest answer", "left out")
def assemble_answered(windows, answers):
    return assemble(windows, answers.fillna(1))  # noqa: F821


@wrong("left out without a word", "a note")
def assemble_answered(windows, answers):
    hole = answers[list(VALENCE)].isnull().any(axis=1)  # noqa: F821
    return assemble(of(windows, answers[~hole]), answers[~hole])  # noqa: F821


@wrong("one note for both", "for each trial")
def assemble_answered(windows, answers):
    hole = answers[list(VALENCE)].isnull().any(axis=1)  # noqa: F821
    study = assemble(of(windows, answers[~hole]), answers[~hole])  # noqa: F821
    return study.assign_attrs(notes=f"{hole.sum()} trials left out")


@wrong("notes without names", "name the trial")
def assemble_answered(windows, answers):
    hole = answers[list(VALENCE)].isnull().any(axis=1)  # noqa: F821
    study = assemble(of(windows, answers[~hole]), answers[~hole])  # noqa: F821
    return study.assign_attrs(notes="\n".join(["left out"] * int(hole.sum())))


@wrong("the whole person is left out", "two trials")
def assemble_answered(windows, answers):
    hole = answers[list(VALENCE)].isnull().any(axis=1)  # noqa: F821
    bad = answers.person.isin(answers.person[hole])
    return assemble(of(windows, answers[~bad]), answers[~bad])  # noqa: F821


@right("a loop over rows")
def assemble_answered(windows, answers):
    notes, kept = [], []
    for number, row in answers.iterrows():
        if row[list(VALENCE)].isnull().any():  # noqa: F821
            notes.append(f"{row.person}-{row.film}: not answered")
        else:
            kept.append(number)
    study = assemble(of(windows, answers.loc[kept]), answers.loc[kept])  # noqa: F821
    study.attrs["notes"] = "\n".join(notes)
    return study


@right("by dropna")
def assemble_answered(windows, answers):
    whole = answers.dropna(subset=list(VALENCE))  # noqa: F821
    lost = answers.drop(whole.index)
    names = [
        f"no answer in {p}-{f}" for p, f in zip(lost.person, lost.film, strict=True)
    ]
    study = assemble(of(windows, whole), whole)  # noqa: F821
    return study.assign_attrs(notes="\n".join(names))


@right("by the plan")
def assemble_answered(windows, answers):
    plan = {**PLAN, "unanswered": "leave out"}  # noqa: F821
    return tables.assemble(plan, {"windows.csv": windows, "answers.csv": answers})
