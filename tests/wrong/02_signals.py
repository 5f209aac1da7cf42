"""Answers to the exercises of chapter 2."""

import numpy as np
import xarray as xr

from mpcl.data import contract, labels
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("no guard at a share of 0", "0 ln 0 is 0")
def entropy(distribution):
    with np.errstate(divide="ignore", invalid="ignore"):
        return -(distribution * np.log(distribution)).sum(-1)


@wrong("in bits", "in nats")
def entropy(distribution):
    return -(distribution * np.log2(np.where(distribution > 0, distribution, 1))).sum(
        -1
    )


@wrong("the sign is forgotten", "in nats")
def entropy(distribution):
    return (distribution * np.log(np.where(distribution > 0, distribution, 1))).sum(-1)


@wrong("the sum over everything", "one number a row: the shape is")
def entropy(distribution):
    return -(distribution * np.log(np.where(distribution > 0, distribution, 1))).sum()


@wrong("the first axis", "one number a row")
def entropy(distribution):
    return -(distribution * np.log(np.where(distribution > 0, distribution, 1))).sum(0)


@wrong("the largest share alone", "every share counts")
def entropy(distribution):
    return 2 * (1 - distribution.max(-1)) * np.log(2)


@wrong("the mean in place of the sum", "in nats")
def entropy(distribution):
    return -(distribution * np.log(np.where(distribution > 0, distribution, 1))).mean(
        -1
    )


@right("by where and a mask")
def entropy(distribution):
    logs = np.zeros_like(distribution)
    np.log(distribution, out=logs, where=distribution > 0)
    return -np.einsum("...c,...c->...", distribution, logs)


@right("a loop over the shares")
def entropy(distribution):
    total = 0.0
    for share in np.moveaxis(np.asarray(distribution), -1, 0):
        safe = np.maximum(share, 1e-300)
        total = total - share * np.log(safe)
    return total


@wrong("always zero", "weigh each trial once")
def difference_of_means(dataset):
    return 0.0


@wrong("the mean of the differences, not the largest", "take the largest")
def difference_of_means(dataset):
    by_trial = dataset.distribution.groupby("trial").mean().mean("trial")
    return np.abs(dataset.distribution.mean("window") - by_trial).mean().item()


@wrong("no absolute value, all emotions", "one number")
def difference_of_means(dataset):
    by_trial = dataset.distribution.groupby("trial").mean().mean("trial")
    return (dataset.distribution.mean("window") - by_trial).values


@wrong("the mean over trials is missing", "it is 0|weigh each trial once")
def difference_of_means(dataset):
    by_trial = dataset.distribution.groupby("trial").mean()
    return np.abs(dataset.distribution.mean("window") - by_trial).max().item()


@wrong("participants in place of trials", "weigh each trial once")
def difference_of_means(dataset):
    by_trial = dataset.distribution.groupby("participant").mean().mean("participant")
    return np.abs(dataset.distribution.mean("window") - by_trial).max().item()


@right("a loop over trials")
def difference_of_means(dataset):
    names = dataset.trial.values
    label = dataset.distribution.values
    each = [label[names == name].mean(0) for name in set(names)]
    return np.abs(label.mean(0) - np.mean(each, 0)).max()


@right("the first window of each trial")
def difference_of_means(dataset):
    first = contract.trials(dataset).first
    label = dataset.distribution.values
    return float(np.abs(label.mean(0) - label[first].mean(0)).max())


def made(people, trials, modality="eda", width=2, emotions=3):
    """A small data set of this form; it passes the contract."""
    count = len(trials)
    random = np.random.default_rng(1)
    answers = xr.DataArray(
        random.integers(1, 6, (count, emotions)).astype(float),
        dims=("window", "emotion"),
    )
    values = random.normal(size=(count, width))
    facts = {"branch": "physiological", "source": "made up"}
    return xr.Dataset(
        {
            modality: (("window", f"{modality}_feature"), values, facts),
            "distribution": labels.distribution(answers),
        },
        coords={
            "participant": ("window", people),
            "trial": ("window", trials),
            "condition": ("window", ["calm"] * count),
            "clip": ("window", ["calm"] * count),
            "start": ("window", 60.0 * np.arange(count)),
            "stop": ("window", 60.0 * np.arange(count) + 60),
            f"{modality}_feature": [f"f{number}" for number in range(width)],
            f"{modality}_unit": (f"{modality}_feature", ["1"] * width),
            "emotion": ["calm", "bored", "tense", "glad"][:emotions],
            "valence": ("emotion", [1, 0, -1, 1][:emotions]),
        },
        attrs={
            "dataset": "mine",
            "licence": "CC0",
            "citation": "none",
            "rating_scale": "1-5",
            "created_by": "an exercise",
            "contract_version": contract.CONTRACT_VERSION,
        },
    )


@wrong("an empty data set", ".")
def my_dataset():
    return xr.Dataset()


@wrong("one participant", "two participants")
def my_dataset():
    return made(["A"] * 4, ["1", "2", "3", "4"])


@wrong("the same names of trials for both", "trial")
def my_dataset():
    return made(["A", "A", "B", "B"], ["1", "2", "1", "2"])


@wrong("two trials in all", "four trials")
def my_dataset():
    return made(["A", "A", "B", "B"], ["A-1", "A-1", "B-1", "B-1"])


@wrong("the modality has another name", "its name is eda")
def my_dataset():
    return made(["A", "A", "B", "B"], ["A-1", "A-2", "B-1", "B-2"], "skin")


@wrong("one feature", "two features")
def my_dataset():
    return made(["A", "A", "B", "B"], ["A-1", "A-2", "B-1", "B-2"], width=1)


@wrong("four emotions", "three emotions")
def my_dataset():
    return made(["A", "A", "B", "B"], ["A-1", "A-2", "B-1", "B-2"], emotions=4)


@right("several windows a trial")
def my_dataset():
    trials = ["A-1", "A-1", "A-2", "A-2", "B-1", "B-1", "B-2", "B-2"]
    data = made(["A"] * 4 + ["B"] * 4, trials)
    of_first = data.distribution.values[::2].repeat(2, 0)
    return data.assign(distribution=(("window", "emotion"), of_first))


@right("other names")
def my_dataset():
    return made(["P1", "P1", "P2", "P2"], ["a", "b", "c", "d"])
