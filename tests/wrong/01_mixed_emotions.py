"""Answers to the exercises of chapter 1."""

from itertools import product

import numpy as np

from mpcl.evaluation import metrics
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("its own answer is missing from the sum", "the 5 is in the sum too")
def largest_share(emotions, floor=1, ceiling=5):
    return ceiling / ((emotions - 1) * floor)


@wrong("all answers count as the lowest", "the 5 is in the sum too")
def largest_share(emotions, floor=1, ceiling=5):
    return ceiling / (emotions * floor)


@wrong("the floor is taken for 1", "a floor of 0")
def largest_share(emotions, floor=1, ceiling=5):
    return ceiling / (ceiling + emotions - 1)


@wrong("the scale is taken for 1 to 5", "a floor of 0")
def largest_share(emotions, floor=1, ceiling=5):
    return 5 / (4 + emotions) if floor else 0.9


@wrong("a special case for floor 0", "answer `floor`, not 1")
def largest_share(emotions, floor=1, ceiling=5):
    return ceiling / (emotions - 1 + ceiling) if floor else 1.0


@wrong("no return", "a `return` missing")
def largest_share(emotions, floor=1, ceiling=5):
    ceiling / (ceiling + (emotions - 1) * floor)


@wrong("a typing error", r"your line \d+, `return ceilling.*NameError")
def largest_share(emotions, floor=1, ceiling=5):
    return ceilling / (ceiling + (emotions - 1) * floor)  # noqa: F821


@right("the whole report, and its largest share")
def largest_share(emotions, floor=1, ceiling=5):
    report = np.full(emotions, float(floor))
    report[0] = ceiling
    return (report / report.sum()).max()


@right("from the ratio of two answers")
def largest_share(emotions, floor=1, ceiling=5):
    return 1 / (1 + (emotions - 1) * floor / ceiling)


@wrong("the sum of both, not the mean", "the \\*mean\\* of two KL")
def jensen_shannon(true, predicted):
    middle = (np.asarray(true) + np.asarray(predicted)) / 2
    return metrics.kl(true, middle) + metrics.kl(predicted, middle)


@wrong("one direction only", "compare both with their middle")
def jensen_shannon(true, predicted):
    middle = (np.asarray(true) + np.asarray(predicted)) / 2
    return metrics.kl(true, middle)


@wrong("total variation", "compare both with their middle")
def jensen_shannon(true, predicted):
    difference = np.abs(np.asarray(true) - np.asarray(predicted)).sum(-1)
    return difference / 2 * np.log(2)


@wrong("the symmetric KL", "ln 2")
def jensen_shannon(true, predicted):
    return (metrics.kl(true, predicted) + metrics.kl(predicted, true)) / 2


@wrong("the middle in the first place", "ln 2|their middle")
def jensen_shannon(true, predicted):
    middle = (np.asarray(true) + np.asarray(predicted)) / 2
    return (metrics.kl(middle, true) + metrics.kl(middle, predicted)) / 2


@wrong("in bits", "ln 2")
def jensen_shannon(true, predicted):
    middle = (np.asarray(true) + np.asarray(predicted)) / 2
    return (metrics.kl(true, middle) + metrics.kl(predicted, middle)) / 2 / np.log(2)


@right("from entropies")
def jensen_shannon(true, predicted):
    def entropy(shares):
        return -sum(share * np.log(share) for share in shares if share > 0)

    middle = [(a + b) / 2 for a, b in zip(true, predicted, strict=True)]
    return entropy(middle) - (entropy(true) + entropy(predicted)) / 2


@right("a loop over emotions")
def jensen_shannon(true, predicted):
    total = 0.0
    for a, b in zip(true, predicted, strict=True):
        for share in (a, b):
            if share > 0:
                total += share * np.log(2 * share / (a + b)) / 2
    return total


@wrong("only the smallest answer", "on the scale as well")
def answers_behind(label):
    return (label / label.min()).round().astype(int)[None]


@wrong("the scale has no end", "3, 6, 6 is off the scale")
def answers_behind(label):
    smallest = np.arange(1, 6)[:, None]
    scaled = smallest * label / label.min()
    whole = np.isclose(scaled, scaled.round(), atol=1e-6).all(1)
    return scaled[whole].round().astype(int)


@wrong("rounded, whole or not", "halves do not count|each once|2, 5, 3")
def answers_behind(label):
    scaled = np.arange(1, 6)[:, None] * label / label.min()
    return scaled[scaled.max(1) < 5.5].round().astype(int)


@wrong("the smallest rating is always 1", "on the scale as well|may be 2")
def answers_behind(label):
    scaled = label / label.min()
    whole = np.isclose(scaled, scaled.round()).all()
    return scaled.round().astype(int)[None] if whole else np.empty((0, len(label)), int)


@wrong("all answers with that largest share", "halves do not count|is off the scale")
def answers_behind(label):
    every = np.array(list(product(range(1, 6), repeat=min(len(label), 5))))
    shares = every / every.sum(1, keepdims=True)
    return every[np.isclose(shares.max(1), label.max())]


@right("in another order, as a list")
def answers_behind(label):
    rows = []
    for smallest in (5, 4, 3, 2, 1):
        row = [float(smallest * share / min(label)) for share in label]
        if all(abs(value - round(value)) < 1e-6 for value in row) and max(row) < 5.5:
            rows.append([round(value) for value in row])
    return rows


@right("by the sum of the ratings")
def answers_behind(label):
    totals = np.arange(len(label), 5 * len(label) + 1)[:, None]
    rows = totals * label
    whole = np.isclose(rows, rows.round(), atol=1e-6).all(1)
    kept = whole & (rows.min(1) > 0.5) & (rows.max(1) < 5.5)
    return rows[kept].round()
