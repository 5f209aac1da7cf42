"""Two submissions a lab that must not pass: by exercise, an answer and its hint.

``hasty`` is what is handed in an hour before the deadline, ``mistaken`` what a student
believes to be right.
"""

HASTY, MISTAKEN = "hasty", "mistaken"
ANSWERS = {
    "lab0": {
        "lab0-strongest": (
            (
                "def strongest(dataset):\n"
                "    return dataset.distribution.mean('window').argmax()",
                "the name, a text",
            ),
            (
                "def strongest(dataset):\n"
                "    means = dataset.distribution.mean('window')\n"
                "    return str(means.emotion.values[means.values.argmin()])",
                "another emotion has a larger mean share",
            ),
        ),
        "lab0-hides": (
            ("def hides():\n    return 'alert'", "1 words are too few"),
            (
                "def hides():\n    return 'A mean hides each of its people. ' * 3",
                "does not name one of the ten emotions",
            ),
        ),
    },
    "lab1": {
        "lab1-steps": (
            (
                "def steps_to_label(answers):\n"
                "    return answers / answers.sum(-1, keepdims=True)",
                "count steps above 1",
            ),
            (
                "def steps_to_label(answers):\n"
                "    steps = np.asarray(answers) - 1.0\n"
                "    if steps.sum() == 0:\n"
                "        return np.full(steps.shape, 1 / steps.shape[-1])\n"
                "    return steps / steps.sum()",
                "many trials at once",
            ),
        ),
        "lab1-disagree": (
            ("def disagree(label):\n    return label, label", "KL should prefer"),
            (
                "def disagree(label):\n"
                "    first = label.copy()\n"
                "    first[label.argmax()] -= 0.01\n"
                "    return first, label[::-1]",
                "sum to one",
            ),
        ),
        "lab1-floor": (
            (
                "def floor_of(dataset, measure):\n"
                "    who, d = dataset.participant.values, dataset.distribution.values\n"
                "    return np.array([measure(d[who == p], d.mean(0)).mean()\n"
                "                     for p in dict.fromkeys(who)])",
                "leave a person's own labels out",
            ),
            (
                "def floor_of(dataset, measure):\n"
                "    d = dataset.distribution.values\n"
                "    return measure(d, d.mean(0)).mean()",
                "one number a person",
            ),
        ),
        "lab1-choice": (
            ("def choice():\n    return 'KL, as everybody.'", "too few"),
            (
                "def choice():\n    return 'The KL divergence is the standard. ' * 20",
                "does not name what it forgives",
            ),
        ),
    },
    "lab2": {
        "lab2-unit": (
            (
                "def wrong_unit(recording):\n    return 'skin temperature'",
                "the unit of another one",
            ),
            (
                "def wrong_unit(recording):\n"
                "    largest = {n: abs(s).max() for n, s in recording.items()}\n"
                "    return max(largest, key=largest.get)",
                "the unit of another one|an artefact",
            ),
        ),
        "lab2-lag": (
            (
                "def clock_lag(recording):\n"
                "    a, b = recording['chest movement'], recording['wrist movement']\n"
                "    return int(np.argmax([np.corrcoef(a[:len(a) - k], b[k:])[0, 1]\n"
                "                          for k in range(0, 500)]))",
                "samples, not seconds",
            ),
            (
                "def clock_lag(recording):\n"
                "    a, b = recording['chest movement'], recording['wrist movement']\n"
                "    return -int(np.argmax([\n"
                "        np.corrcoef(a[:len(a) - k * FAST], b[k * FAST:])[0, 1]\n"
                "        for k in range(16)]))",
                "turn the sign",
            ),
        ),
        "lab2-loose": (
            (
                "def flat_share(signal, least):\n"
                "    return float((np.diff(signal) == 0).mean())",
                "a short run does not count",
            ),
            (
                "def flat_share(signal, least):\n"
                "    longest = run = 1\n"
                "    for still in np.diff(signal) == 0:\n"
                "        run = run + 1 if still else 1\n"
                "        longest = max(longest, run)\n"
                "    return longest / len(signal) if longest >= least else 0.0",
                "several runs add up",
            ),
        ),
        "lab2-report": (
            ("def report():\n    return 'See above.'", "too few"),
            (
                "def report():\n"
                "    return 'The temperature is odd, the clock is late. ' * 12",
                "does not name the electrode",
            ),
        ),
    },
    "lab3": {
        "lab3-names": (
            ("def leak_of(letter):\n    return 'windows'", "study b: read it"),
            (
                "def leak_of(letter):\n"
                "    places = [0, 2, 1, 3, 4, 5]\n"
                "    return LEAKS[places['abcdef'.index(letter)]]",
                "study b: read it",
            ),
        ),
        "lab3-worth": (
            (
                "def worth(leaky, fair):\n    return statistics.interval(leaky - fair)",
                "positive where",
            ),
            (
                "def worth(leaky, fair):\n"
                "    a, b = statistics.interval(fair), statistics.interval(leaky)\n"
                "    return a[0] - b[0], a[1] - b[2], a[2] - b[1]",
                "the difference of each person first",
            ),
        ),
        "lab3-repair": (
            (
                "def repaired(data):\n"
                "    x, y = signals(data), data.distribution.values\n"
                "    return predict(x[:, strongest(x, y)], y, of_people(data))",
                "it leaks",
            ),
            (
                "def repaired(data):\n"
                "    x, y = signals(data), data.distribution.values\n"
                "    return predict(x, y, of_people(data))",
                "twelve features of the training",
            ),
        ),
        "lab3-review": (
            ("def review():\n    return 'All six leak.'", "too few"),
            (
                "def review():\n"
                "    return 'Study a leaks by windows and must be repaired. ' * 25",
                "does not name the fault of b",
            ),
        ),
    },
    "lab4": {
        "lab4-recall": (
            (
                "def recall(query, stored, beta):\n"
                "    weights = np.exp(beta * query @ stored.T)\n"
                "    return weights / weights.sum(1, keepdims=True) @ stored",
                "overflow",
            ),
            (
                "def recall(query, stored, beta):\n"
                "    scores = beta * query @ stored.T\n"
                "    weights = np.exp(scores - scores.max())\n"
                "    return weights / weights.sum(0) @ stored",
                "the plain mean",
            ),
        ),
        "lab4-energy": (
            (
                "def energy_of(query, stored, beta):\n"
                "    return -np.log(np.exp(beta * query @ stored.T).sum(1)) / beta",
                "the package's energy",
            ),
            (
                "def energy_of(query, stored, beta):\n"
                "    s = beta * query @ stored.T\n"
                "    top = s.max(1)\n"
                "    lse = top + np.log(np.exp(s - top[:, None]).sum(1))\n"
                "    size = (query**2).sum(1) / 2 + (stored**2).sum(1).max() / 2\n"
                "    return (lse + np.log(len(stored))) / beta + size",
                "the package's energy",
            ),
        ),
        "lab4-attend": (
            (
                "def attend(query, stored, values):\n"
                "    return recall(query, stored, 1 / np.sqrt(stored.shape[1]))\n\n\n"
                "def recall(query, stored, beta):\n"
                "    weights = np.exp(beta * query @ stored.T)\n"
                "    return weights / weights.sum(1, keepdims=True) @ stored",
                "read the values",
            ),
            (
                "def attend(query, stored, values):\n"
                "    weights = np.exp(query @ stored.T)\n"
                "    return weights / weights.sum(1, keepdims=True) @ values",
                "beta is one over the square root",
            ),
        ),
        "lab4-recalls": (
            ("def recalls():\n    return 'It works well.'", "too few"),
            (
                "def recalls():\n"
                "    return 'The best beta gives 0.51, which is a great success. ' * 9",
                "does not name the floor",
            ),
        ),
    },
    "lab5": {
        "lab5-pair": (
            (
                "def gain(with_it, without_it):\n"
                "    return float((without_it - with_it).mean())",
                "one number a person",
            ),
            (
                "def gain(with_it, without_it):\n"
                "    return (with_it - without_it).mean(0)",
                "positive: it helps",
            ),
        ),
        "lab5-family": (
            (
                "def findings(family):\n"
                "    return {n: 'helps' if g.mean() > 0 else 'harms'\n"
                "            for n, g in family.items()}",
                "Holm's intervals",
            ),
            (
                "def findings(family):\n"
                "    said = {}\n"
                "    for name, gains in family.items():\n"
                "        if gains.mean() > 0:\n"
                "            said[name] = 'helps'\n"
                "    return said",
                "every part that was tried",
            ),
        ),
        "lab5-margin": (
            (
                "def may_go(gains, margin):\n    return gains.mean() < margin",
                "nothing excluded|the upper bound|the mean alone",
            ),
            (
                "def may_go(gains, margin):\n"
                "    return statistics.interval(gains)[1] < margin",
                "nothing excluded|the upper bound",
            ),
        ),
        "lab5-report": (
            ("def report():\n    return 'No effect.'", "too few"),
            (
                "def report():\n"
                "    return 'It helps, with an interval of [0, 1] and a margin. ' * 18",
                "does not name Holm",
            ),
        ),
    },
    "labS": {
        "labS-cases": (
            ("def ruling(case):\n    return 'prohibited'", "callers: whose emotion"),
            (
                "def ruling(case):\n"
                "    if case in ('agents', 'exam', 'interview'):\n"
                "        return 'prohibited'\n"
                "    return 'research' if case in ('study', 'course') else 'high-risk'",
                "course: whose emotion",
            ),
        ),
        "labS-consent": (
            ("def consent():\n    return 'It is fine.'", "too few"),
            (
                "def consent():\n"
                "    return 'The bonus points are too few for so long a study. ' * 8",
                "does not name the purpose",
            ),
        ),
        "labS-cannot": (
            ("def cannot():\n    return 'Everything.'", "too few"),
            (
                "def cannot():\n    return 'The pulse shows the true feeling. ' * 15",
                "does not name another cause",
            ),
        ),
        "labS-position": (
            ("def position():\n    return 'Yes.'", "too few"),
            (
                "def position():\n"
                "    return 'It has a risk and an error, and it is useful. ' * 13",
                "does not name a gentler way",
            ),
        ),
    },
}


def submission(name, who):
    """All answers of one of the two, as a script."""
    place = [HASTY, MISTAKEN].index(who)
    return "\n\n\n".join(each[place][0] for each in ANSWERS[name].values()) + "\n"
