"""Answers to the exercises of chapter 11."""

import numpy as np

from mpcl.evaluation import metrics, tables
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the other way round", "0.30 against 0.37")
def closer(label):
    first = metrics.chebyshev(label, [1.0] + [0.0] * (len(label) - 1))
    uniform = metrics.chebyshev(label, [1 / len(label)] * len(label))
    return "first" if first > uniform else "uniform"


@wrong("by the size of the first share", "by Chebyshev|eleven|two emotions|0.17")
def closer(label):
    return "first" if label[0] > 0.55 else "uniform"


@wrong("all on the largest", "the first is the first, not the largest|not the largest")
def closer(label):
    largest = np.zeros(len(label))
    largest[np.argmax(label)] = 1
    uniform = metrics.chebyshev(label, [1 / len(label)] * len(label))
    return "first" if metrics.chebyshev(label, largest) < uniform else "uniform"


@wrong("intersection in place of Chebyshev", "by Chebyshev|0.17 against")
def closer(label):
    first = metrics.intersection(label, [1.0] + [0.0] * (len(label) - 1))
    uniform = metrics.intersection(label, [1 / len(label)] * len(label))
    return "first" if first > uniform else "uniform"


@wrong("three emotions are taken for granted", "by Chebyshev|stops with|two emotions")
def closer(label):
    first = metrics.chebyshev(label, [1.0, 0.0, 0.0])
    uniform = metrics.chebyshev(label, [1 / 3, 1 / 3, 1 / 3])
    return "first" if first < uniform else "uniform"


@wrong("the two answers of the prompt", "not the largest|by Chebyshev|eleven")
def closer(label):
    return "first" if list(label) == [0.7, 0.2, 0.1] else "uniform"


@right("by NumPy")
def closer(label):
    label = np.asarray(label)
    corner = np.eye(len(label))[0]
    distances = [abs(label - 1 / len(label)).max(), abs(label - corner).max()]
    return ("uniform", "first")[int(np.argmin(distances))]


@right("a dictionary of guesses")
def closer(label):
    count = len(label)
    guesses = {"uniform": np.ones(count) / count, "first": np.eye(1, count)[0]}
    return min(guesses, key=lambda name: metrics.chebyshev(label, guesses[name]))


def means(scored, metric="kl", bound="mean"):
    return tables.intervals(scored).sel(metric=metric, bound=bound)


def ends(kl):
    return (
        kl.sel(predictor=name).item() for name in ("mean_label", "condition_oracle")
    )


@wrong("the sign is turned", "the oracle covers all|the floor itself")
def share_of_the_way(scored, predictor):
    kl = means(scored)
    floor, oracle = ends(kl)
    return (kl.sel(predictor=predictor).item() - floor) / (floor - oracle)


@wrong("the difference, not the share", "the oracle covers all")
def share_of_the_way(scored, predictor):
    kl = means(scored)
    return (kl.sel(predictor="mean_label") - kl.sel(predictor=predictor)).item()


@wrong("by Chebyshev", "in KL")
def share_of_the_way(scored, predictor):
    kl = means(scored, "chebyshev")
    floor, oracle = ends(kl)
    return (floor - kl.sel(predictor=predictor).item()) / (floor - oracle)


@wrong("what is left to go", "the floor itself covers nothing")
def share_of_the_way(scored, predictor):
    kl = means(scored)
    floor, oracle = ends(kl)
    return (kl.sel(predictor=predictor).item() - oracle) / (floor - oracle)


@wrong("cut at 0 and 1", "uniform: ")
def share_of_the_way(scored, predictor):
    kl = means(scored)
    floor, oracle = ends(kl)
    return float(
        np.clip((floor - kl.sel(predictor=predictor).item()) / (floor - oracle), 0, 1)
    )


@wrong("the upper bounds", "in KL")
def share_of_the_way(scored, predictor):
    kl = means(scored, bound="upper")
    floor, oracle = ends(kl)
    return (floor - kl.sel(predictor=predictor).item()) / (floor - oracle)


@right("one minus what is left")
def share_of_the_way(scored, predictor):
    kl = means(scored).squeeze().to_series()
    left = kl[predictor] - kl["condition_oracle"]
    return 1 - left / (kl["mean_label"] - kl["condition_oracle"])


@right("from the table of participants")
def share_of_the_way(scored, predictor):
    frame = tables.participant_table(scored, "kl").mean()
    gained = frame["mean_label"] - frame[predictor]
    return gained / (frame["mean_label"] - frame["condition_oracle"])


@wrong("the largest KL", "mpcl minus mean_label")
def served_worst(scored):
    column = tables.participant_table(scored, "kl")["mpcl"]
    return column.idxmax(), column.max()


@wrong("served best", "mpcl minus mean_label")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    excess = frame["mpcl"] - frame["mean_label"]
    return excess.idxmin(), excess.min()


@wrong("the sign is turned", "mpcl minus mean_label")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    excess = frame["mean_label"] - frame["mpcl"]
    return excess.idxmin(), excess.min()


@wrong("the name of the largest KL", "somebody else's|other scores")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    excess = frame["mpcl"] - frame["mean_label"]
    return frame["mpcl"].idxmax(), excess.max()


@wrong("by Chebyshev", "in KL")
def served_worst(scored):
    frame = tables.participant_table(scored, "chebyshev")
    excess = frame["mpcl"] - frame["mean_label"]
    return excess.idxmax(), excess.max()


@wrong("the place in place of the name", "the name of a participant")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    excess = frame["mpcl"] - frame["mean_label"]
    return int(excess.values.argmax()), excess.max()


@wrong("the absolute difference", "mpcl minus mean_label|other scores")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    excess = (frame["mpcl"] - frame["mean_label"]).abs()
    return excess.idxmax(), excess.max()


@right("sorted")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    ordered = (frame["mpcl"] - frame["mean_label"]).sort_values()
    return ordered.index[-1], float(ordered.iloc[-1])


@right("a loop, as a list")
def served_worst(scored):
    frame = tables.participant_table(scored, "kl")
    worst = ["", -np.inf]
    for name, row in frame.iterrows():
        if row["mpcl"] - row["mean_label"] > worst[1]:
            worst = [name, row["mpcl"] - row["mean_label"]]
    return worst
