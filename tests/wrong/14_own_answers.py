"""Answers to the exercises of chapter 14."""

import numpy as np

from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the largest number that is good enough", "as low as with the sensor|fewest")
def enough_answers(kl_after, kl_with_sensor):
    fitting = [count for count, kl in kl_after.items() if kl <= kl_with_sensor]
    return max(fitting, default=np.inf)


@wrong("higher taken for better", "as low as with the sensor|lower is better")
def enough_answers(kl_after, kl_with_sensor):
    for count in sorted(kl_after):
        if kl_after[count] >= kl_with_sensor:
            return count
    return np.inf


@wrong("strictly better", "as low as with the sensor")
def enough_answers(kl_after, kl_with_sensor):
    for count in sorted(kl_after):
        if kl_after[count] < kl_with_sensor:
            return count
    return np.inf


@wrong("the order of the table", "any order")
def enough_answers(kl_after, kl_with_sensor):
    for count, kl in kl_after.items():
        if kl <= kl_with_sensor:
            return count
    return np.inf


@wrong("the last number where none is enough", "reaches .040")
def enough_answers(kl_after, kl_with_sensor):
    for count in sorted(kl_after):
        if kl_after[count] <= kl_with_sensor:
            return count
    return max(kl_after)


@wrong("bisection in a curve that does not fall", "one answer is enough here")
def enough_answers(kl_after, kl_with_sensor):
    counts = sorted(kl_after)
    good = [count for count in counts if kl_after[count] <= kl_with_sensor]
    bad = [count for count in counts if kl_after[count] > kl_with_sensor]
    return min(
        (count for count in good if count > max(bad, default=-1)), default=np.inf
    )


@right("the least of those that fit")
def enough_answers(kl_after, kl_with_sensor):
    fitting = [count for count, kl in kl_after.items() if kl <= kl_with_sensor]
    return min(fitting, default=np.inf)


@right("the first of a sorted table")
def enough_answers(kl_after, kl_with_sensor):
    table = sorted(kl_after.items())
    return next((count for count, kl in table if not kl > kl_with_sensor), np.inf)


@wrong("the mean is believed as it is", "believed by half")
def corrected_by_mean(predicted, guesses, answers, strength):
    if len(answers) == 0:
        return predicted
    raised = predicted * np.exp((np.log(answers) - np.log(guesses)).mean(0))
    return raised / raised.sum()


@wrong("the sum is believed", "believed by half|three quarters")
def corrected_by_mean(predicted, guesses, answers, strength):
    lack = (np.log(answers) - np.log(guesses)).sum(0) / (1 + strength)
    raised = predicted * np.exp(lack)
    return raised / raised.sum()


@wrong("the other way round", "2 : 1")
def corrected_by_mean(predicted, guesses, answers, strength):
    lack = (np.log(guesses) - np.log(answers)).sum(0)
    raised = predicted * np.exp(lack / max(len(answers) + strength, 1e-9))
    return raised / raised.sum()


@wrong("shares are added, not logarithms", "the logarithms move|differences of")
def corrected_by_mean(predicted, guesses, answers, strength):
    if len(answers) == 0:
        return predicted
    moved = predicted + (answers - guesses).sum(0) / (len(answers) + strength)
    return moved / moved.sum()


@wrong("no shares", "2 : 1|the prediction stays")
def corrected_by_mean(predicted, guesses, answers, strength):
    lack = np.log(answers) - np.log(guesses)
    return predicted * np.exp(lack.sum(0) / max(len(lack) + strength, 1e-9))


@wrong("without an answer 0 / 0", "the prediction stays")
def corrected_by_mean(predicted, guesses, answers, strength):
    with np.errstate(invalid="ignore", divide="ignore"):
        lack = np.log(answers) - np.log(guesses)
        mean = lack.sum(0) / np.float64(len(lack))
        raised = predicted * np.exp(mean * len(lack) / (len(lack) + strength))
        return raised / raised.sum()


@right("with a softmax of centred logarithms")
def corrected_by_mean(predicted, guesses, answers, strength):
    lack = np.log(answers) - np.log(guesses)
    lack = lack - lack.mean(1, keepdims=True)
    weight = len(lack) + strength
    logits = np.log(predicted) + (lack.sum(0) / weight if len(lack) else 0)
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


@right("as a product of powers")
def corrected_by_mean(predicted, guesses, answers, strength):
    raised = np.array(predicted, float)
    for guess, answer in zip(guesses, answers, strict=True):
        raised *= (answer / guess) ** (1 / (len(answers) + strength))
    return raised / raised.sum()


@wrong("windows are counted, not trials", "told as a whole|whatever P did")
def scored_windows(participant, trial, start, most):
    scored = np.zeros(len(trial), bool)
    for name in set(participant):
        rows = np.flatnonzero(participant == name)
        scored[rows[np.argsort(start[rows])][most:]] = True
    return scored


@wrong("all people share a clock", "Q begins anew|whole")
def scored_windows(participant, trial, start, most):
    begins = {name: start[trial == name].min() for name in set(trial)}
    return np.isin(trial, sorted(begins, key=begins.get)[most:])


@wrong("by the names of the trials", "whole|names say nothing")
def scored_windows(participant, trial, start, most):
    scored = np.zeros(len(trial), bool)
    for name in set(participant):
        rows = participant == name
        scored |= rows & np.isin(trial, sorted(set(trial[rows]))[most:])
    return scored


@wrong("by the order of the rows", "names say nothing|any order")
def scored_windows(participant, trial, start, most):
    scored = np.zeros(len(trial), bool)
    for name in set(participant):
        rows = participant == name
        scored |= rows & np.isin(trial, list(dict.fromkeys(trial[rows]))[most:])
    return scored


@wrong("the told ones", "told as a whole")
def scored_windows(participant, trial, start, most):
    scored = np.zeros(len(trial), bool)
    for name in set(participant):
        rows = participant == name
        begins = {each: start[trial == each].min() for each in set(trial[rows])}
        early = sorted(begins, key=begins.get)[:most]
        scored |= rows & np.isin(trial, early)
    return scored


@right("by ranks")
def scored_windows(participant, trial, start, most):
    first = np.array([start[trial == name].min() for name in trial])
    rank = []
    for who, begin in zip(participant, first, strict=True):
        before = (participant == who) & (first < begin)
        rank.append(len(set(trial[before])))
    return np.array(rank) >= most


@right("one person after the other")
def scored_windows(participant, trial, start, most):
    order = np.argsort(start, kind="stable")
    met: dict[str, list[str]] = {}
    for row in order:
        trials = met.setdefault(participant[row], [])
        if trial[row] not in trials:
            trials.append(trial[row])
    told = {name for trials in met.values() for name in trials[:most]}
    return np.array([name not in told for name in trial])
