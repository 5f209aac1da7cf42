"""Answers to the exercises of chapter 3."""

import numpy as np

from mpcl import splits
from mpcl.evaluation import floors, statistics
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("windows are counted", "count trials, each once")
def shared_trials(dataset, fold):
    training, held_out = (side.trial.values for side in splits.part(dataset, fold))
    return int(np.isin(training, held_out).sum())


@wrong("yes or no", "count trials, each once")
def shared_trials(dataset, fold):
    training, held_out = (set(side.trial.values) for side in splits.part(dataset, fold))
    return int(bool(training & held_out))


@wrong("all held-out trials", "keeps trials whole|each once")
def shared_trials(dataset, fold):
    return len(set(splits.part(dataset, fold)[1].trial.values))


@wrong("trials on either side", "each once|keeps trials whole")
def shared_trials(dataset, fold):
    training, held_out = (set(side.trial.values) for side in splits.part(dataset, fold))
    return len(training | held_out)


@wrong("people on both sides", "each once|keeps trials whole")
def shared_trials(dataset, fold):
    training, held_out = splits.part(dataset, fold)
    return len(set(training.participant.values) & set(held_out.participant.values))


@right("by NumPy")
def shared_trials(dataset, fold):
    names = dataset.trial.values
    return np.intersect1d(names[list(fold.training)], names[list(fold.held_out)]).size


@right("a loop")
def shared_trials(dataset, fold):
    training, held_out = splits.part(dataset, fold)
    count = 0
    for name in set(held_out.trial.values.tolist()):
        if name in training.trial.values.tolist():
            count += 1
    return count


@wrong("the mean label for everybody", "its own participant")
def person_mean(train, test):
    return floors.mean_label(train, test)


@wrong("everybody gets the first person's mean", "its own participant")
def person_mean(train, test):
    labels, answer = floors.trial_labels(train), floors.mean_label(train, test)
    first = labels.values[labels.participant.values == test.participant.values[0]]
    return np.tile(first.mean(0), (len(answer), 1)) if len(first) else answer


@wrong("means over windows", "a long trial counts once")
def person_mean(train, test):
    answer = floors.mean_label(train, test)
    for row, name in enumerate(test.participant.values):
        own = train.distribution.values[train.participant.values == name]
        if len(own):
            answer[row] = own.mean(0)
    return answer


@wrong("unknown people get equal shares", "nobody is known there")
def person_mean(train, test):
    labels = floors.trial_labels(train)
    answer = floors.mean_label(train, test)
    answer[:] = 1 / answer.shape[1]
    for row, name in enumerate(test.participant.values):
        own = labels.values[labels.participant.values == name]
        if len(own):
            answer[row] = own.mean(0)
    return answer


@wrong("the person's sum, not the mean", "each row is a distribution")
def person_mean(train, test):
    labels, answer = floors.trial_labels(train), floors.mean_label(train, test)
    for row, name in enumerate(test.participant.values):
        own = labels.values[labels.participant.values == name]
        if len(own):
            answer[row] = own.sum(0)
    return answer


@wrong("the last trial of the person", "its own participant")
def person_mean(train, test):
    labels, answer = floors.trial_labels(train), floors.mean_label(train, test)
    for row, name in enumerate(test.participant.values):
        own = labels.values[labels.participant.values == name]
        if len(own):
            answer[row] = own[-1]
    return answer


@right("a dictionary of people")
def person_mean(train, test):
    labels, answer = floors.trial_labels(train), floors.mean_label(train, test)
    people = labels.participant.values
    means = {name: labels.values[people == name].mean(0) for name in set(people)}
    rows = zip(test.participant.values, answer, strict=True)
    return [means.get(name, row) for name, row in rows]


@right("by groupby")
def person_mean(train, test):
    by_person = floors.trial_labels(train).groupby("participant").mean()
    answer = floors.mean_label(train, test)
    known = np.isin(test.participant.values, by_person.participant.values)
    people = test.participant.values[known]
    picked = by_person.sel(participant=people).transpose("participant", "emotion")
    answer[known] = picked.values
    return answer


@wrong("half the width", "from the lower to the upper bound")
def two_spreads(scores):
    means = [part.mean() for part in np.array_split(scores, 5)]
    mean, lower, _ = statistics.interval(scores)
    return np.std(means), mean - lower


@wrong("a deviation that is always 0", "of the five fold means")
def two_spreads(scores):
    _, lower, upper = statistics.interval(scores)
    return 0.0, upper - lower


@wrong("the deviation of people", "of the five fold means")
def two_spreads(scores):
    _, lower, upper = statistics.interval(scores)
    return np.std(scores), upper - lower


@wrong("the variance", "of the five fold means")
def two_spreads(scores):
    means = [part.mean() for part in np.array_split(scores, 5)]
    _, lower, upper = statistics.interval(scores)
    return np.var(means), upper - lower


@wrong("an interval over the fold means", "from the lower to the upper bound")
def two_spreads(scores):
    means = np.array([part.mean() for part in np.array_split(scores, 5)])
    _, lower, upper = statistics.interval(means)
    return np.std(means), upper - lower


@wrong("the other order", "of the five fold means")
def two_spreads(scores):
    means = [part.mean() for part in np.array_split(scores, 5)]
    _, lower, upper = statistics.interval(scores)
    return upper - lower, np.std(means)


@right("with n - 1, as a list")
def two_spreads(scores):
    means = [float(np.mean(part)) for part in np.array_split(np.asarray(scores), 5)]
    bounds = statistics.interval(scores)
    return [np.std(means, ddof=1), bounds[2] - bounds[1]]


@right("the folds by place")
def two_spreads(scores):
    cuts = [len(scores) * number // 5 for number in range(6)]
    parts = zip(cuts[:-1], cuts[1:], strict=True)
    means = np.array([scores[begin:end].mean() for begin, end in parts])
    _, lower, upper = statistics.interval(scores)
    return ((means - means.mean()) ** 2).mean() ** 0.5, upper - lower
