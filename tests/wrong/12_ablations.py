"""Answers to the exercises of chapter 12."""

import numpy as np

from mpcl.evaluation import statistics
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the mean alone", "a mean beside 0")
def finding(differences):
    mean = differences.mean()
    if abs(mean) < 1e-9:
        return "nothing beyond chance"
    return "helps" if mean > 0 else "hurts"


@wrong("the mean against one standard deviation", "many people|narrow interval")
def finding(differences):
    mean, spread = differences.mean(), differences.std()
    if abs(mean) < spread:
        return "nothing beyond chance"
    return "helps" if mean > 0 else "hurts"


@wrong("nine of ten people on one side", "many people|nearly all on one side")
def finding(differences):
    share = (differences > 0).mean()
    if 0.1 < share < 0.9:
        return "nothing beyond chance"
    return "helps" if share > 0.5 else "hurts"


@wrong("the sign is turned", "worse without it")
def finding(differences):
    _, low, high = statistics.interval(differences)
    if low > 0:
        return "hurts"
    return "helps" if high < 0 else "nothing beyond chance"


@wrong("the bounds are swapped", "a mean beside 0")
def finding(differences):
    _, low, high = statistics.interval(differences)
    if high > 0:
        return "helps"
    return "hurts" if low < 0 else "nothing beyond chance"


@wrong("other words", "it helps")
def finding(differences):
    _, low, high = statistics.interval(differences)
    return "better" if low > 0 else "worse" if high < 0 else "nothing"


@right("by the product of the bounds")
def finding(differences):
    mean, low, high = statistics.interval(list(differences))
    if low * high <= 0:
        return "nothing beyond chance"
    return ("hurts", "helps")[int(mean > 0)]


@wrong("p against the wrong side", "it is worse without it")
def finding(differences):
    if statistics.sign_flip(differences) < 0.05:
        return "nothing beyond chance"
    return "helps" if np.mean(differences) > 0 else "hurts"


@right("by sign flips, from a list")
def finding(differences):
    sign = np.sign(sum(differences))
    if statistics.sign_flip(list(differences)) > 0.05:
        sign = 0
    return {1: "helps", -1: "hurts", 0: "nothing beyond chance"}[int(sign)]


@right("a t interval by hand")
def finding(differences):
    from scipy import stats

    count = len(differences)
    half = stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / count**0.5
    mean = np.mean(differences)
    if abs(mean) <= half:
        return "nothing beyond chance"
    return "helps" if mean > 0 else "hurts"


@wrong("the mean", "not the mean")
def smallest_margin(differences):
    return max(0.0, differences.mean())


@wrong("the worst person", "nor the worst person")
def smallest_margin(differences):
    return max(0.0, differences.max())


@wrong("the third quartile of people", "nor the worst person")
def smallest_margin(differences):
    return max(0.0, np.quantile(differences, 0.75))


@wrong("a negative margin", "not negative")
def smallest_margin(differences):
    return statistics.interval(differences)[2]


@wrong("the lower bound", "the upper bound")
def smallest_margin(differences):
    return max(0.0, statistics.interval(differences)[1])


@wrong("the width of the interval", "the margin is 0")
def smallest_margin(differences):
    _, lower, upper = statistics.interval(differences)
    return upper - lower


@wrong("the sign is turned", "the margin is 0|always worse")
def smallest_margin(differences):
    return max(0.0, -statistics.interval(differences)[1])


@right("by clip")
def smallest_margin(differences):
    return np.clip(statistics.interval(differences)[-1], 0, None)


@right("by a question")
def smallest_margin(differences):
    _, _, upper = statistics.interval(list(differences))
    return upper if upper > 0 else 0


@wrong("the mean over people", "the shape is")
def interaction(whole, without_a, without_b, without_both):
    return (without_both - without_a - without_b + whole).mean()


@wrong("whole is not added back", "costs that add up")
def interaction(whole, without_a, without_b, without_both):
    return without_both - without_a - without_b


@wrong("the sign is turned", "it is positive")
def interaction(whole, without_a, without_b, without_both):
    return without_a + without_b - whole - without_both


@wrong("one cost is forgotten", "costs that add up")
def interaction(whole, without_a, without_b, without_both):
    return (without_both - whole) - (without_a - whole)


@wrong("the largest of the two costs", "costs that add up")
def interaction(whole, without_a, without_b, without_both):
    return (without_both - whole) - np.maximum(without_a, without_b) + whole


@wrong("the mean for each participant", "each participant has an own")
def interaction(whole, without_a, without_b, without_both):
    each = without_both - without_a - without_b + whole
    return np.full(len(each), each.mean())


@right("shortened")
def interaction(whole, without_a, without_b, without_both):
    return without_both - without_a - without_b + whole


@right("a loop, as a list")
def interaction(whole, without_a, without_b, without_both):
    people = zip(whole, without_a, without_b, without_both, strict=True)
    return [(both - base) - (a - base) - (b - base) for base, a, b, both in people]
