"""A second list of wrong answers, two an exercise, written from the prompts alone.

Whoever wrote them had read neither the checks nor the first list in ``tests/wrong``.
They were tried once, as they stand; none was changed after it was known what catches
it. How many are caught is printed by a test, and is no target.
"""

ANSWERS = {
    "01-largest": (
        "def largest_share(emotions, floor=1, ceiling=5):\n"
        "    return ceiling / (emotions * floor)",  # forgets its own answer in the sum
        "def largest_share(emotions, floor=1, ceiling=5):\n"
        "    return (ceiling - floor) / (emotions * floor + ceiling - floor)",
    ),
    "01-jensen": (
        "def jensen_shannon(true, predicted):\n"
        "    import numpy as np\n"
        "    from mpcl.evaluation import metrics\n"
        "    both = metrics.kl(true, predicted) + metrics.kl(predicted, true)\n"
        "    return np.minimum(both / 2, np.log(2))",  # symmetric KL with a lid
        "def jensen_shannon(true, predicted):\n"
        "    import numpy as np\n"
        "    from mpcl.evaluation import metrics\n"
        "    middle = np.sqrt(np.asarray(true) * np.asarray(predicted))\n"
        "    middle = middle / np.maximum(middle.sum(-1, keepdims=True), 1e-12)\n"
        "    return (metrics.kl(true, middle) + metrics.kl(predicted, middle)) / 2",
    ),
    "01-behind": (
        "def answers_behind(label):\n"
        "    import itertools\n"
        "    import numpy as np\n"
        "    every = np.array(list(itertools.combinations_with_replacement(\n"
        "        range(1, 6), len(label))))\n"  # sorted rows alone
        "    close = np.isclose(every / every.sum(1, keepdims=True), label).all(1)\n"
        "    return every[close]",
        "def answers_behind(label):\n"
        "    import numpy as np\n"
        "    rows = [np.asarray(label) * total for total in range(1, 26)]\n"
        "    whole = [r for r in rows if np.allclose(r, r.round())]\n"
        "    return np.array([r.round() for r in whole if r.max() <= 5])",
    ),
    "02-entropy": (
        "def entropy(distribution):\n"
        "    import numpy as np\n"
        "    d = np.asarray(distribution, float)\n"
        "    return -(d * np.log(d + 1e-3)).sum(-1)",
        "def entropy(distribution):\n"
        "    import numpy as np\n"
        "    d = np.asarray(distribution, float)\n"
        "    return -(d * np.log2(np.where(d > 0, d, 1))).sum(-1)",
    ),
    "02-means": (
        "def difference_of_means(dataset):\n"
        "    d = dataset.distribution\n"
        "    by_trial = d.groupby('trial').mean().mean('trial')\n"
        "    return float((d.mean('window') - by_trial).max())",  # no absolute value
        "def difference_of_means(dataset):\n"
        "    import numpy as np\n"
        "    d = dataset.distribution\n"
        "    by_trial = d.groupby('trial').mean().mean('trial')\n"
        "    return float(np.abs(d.mean('window') - by_trial).mean())",
    ),
    "03-shared": (
        "def shared_trials(dataset, fold):\n"
        "    trials = dataset.trial.values\n"
        "    return len(set(trials[list(fold.training)])\n"
        "               | set(trials[list(fold.held_out)]))",
        "def shared_trials(dataset, fold):\n"
        "    import numpy as np\n"
        "    trials = dataset.trial.values\n"
        "    return int(np.isin(trials[list(fold.held_out)],\n"
        "                       trials[list(fold.training)]).sum())",  # windows
    ),
    "03-person": (
        "def person_mean(train, test):\n"
        "    import numpy as np\n"
        "    everyone = train.distribution.values.mean(0)\n"
        "    rows = []\n"
        "    for person in test.participant.values:\n"
        "        mine = test.participant.values == person\n"  # the held-out labels
        "        rows.append(test.distribution.values[mine].mean(0)\n"
        "                    if person in train.participant.values else everyone)\n"
        "    return np.array(rows)",
        "def person_mean(train, test):\n"
        "    import numpy as np\n"
        "    rows = []\n"
        "    for person in test.participant.values:\n"
        "        mine = train.participant.values == person\n"
        "        rows.append(train.distribution.values[mine].mean(0) if mine.any()\n"
        "                    else np.full(test.sizes['emotion'],\n"
        "                                 1 / test.sizes['emotion']))\n"
        "    return np.array(rows)",
    ),
    "03-spreads": (
        "def two_spreads(scores):\n"
        "    import numpy as np\n"
        "    from mpcl.evaluation import statistics\n"
        "    folds = np.array_split(np.asarray(scores), 5)\n"
        "    _, low, high = statistics.interval(scores)\n"
        "    return np.mean([fold.std() for fold in folds]), high - low",
        "def two_spreads(scores):\n"
        "    import numpy as np\n"
        "    from mpcl.evaluation import statistics\n"
        "    means = [fold.mean() for fold in np.array_split(np.asarray(scores), 5)]\n"
        "    _, low, high = statistics.interval(np.array(means))\n"
        "    return np.std(means), high - low",  # an interval over folds
    ),
    "bring-uneven": (
        "def uneven(dataset):\n"
        "    import numpy as np\n"
        "    names = []\n"
        "    for trial in np.unique(dataset.trial.values):\n"
        "        d = dataset.distribution.values[dataset.trial.values == trial]\n"
        "        if not np.allclose(d[0], d[-1]):\n"  # first and last alone
        "            names.append(str(trial))\n"
        "    return names",
        "def uneven(dataset):\n"
        "    import numpy as np\n"
        "    names = []\n"
        "    for trial in dict.fromkeys(dataset.trial.values):\n"
        "        d = dataset.distribution.values[dataset.trial.values == trial]\n"
        "        if not np.allclose(d, d[0]):\n"
        "            names.append(str(trial))\n"
        "    return names[::-1]",  # not sorted
    ),
    "bring-breath": (
        "def with_breath(study, rate):\n"
        "    study = study.copy()\n"
        "    study['breath'] = ('window', rate)\n"
        "    return study",
        "def with_breath(study, rate):\n"
        "    import numpy as np\n"
        "    import xarray as xr\n"
        "    other = study.assign_coords(breath_feature=['rate'])\n"
        "    other = other.assign_coords(breath_unit=('breath_feature', ['1/min']))\n"
        "    other['breath'] = (('window', 'breath_feature'),\n"
        "                       np.asarray(rate)[:, None],\n"
        "                       {'branch': 'behavioural', 'source': 'a belt'})\n"
        "    names = [*study.modality.values, 'breath']\n"
        "    other = other.drop_vars('modality')\n"
        "    return xr.merge([other]).assign_coords(modality=names)",
    ),
    "06-factor": (
        "def largest_factor(tau, kinds):\n"
        "    import math\n"
        "    return math.exp(1 / tau)",
        "def largest_factor(tau, kinds):\n"
        "    import math\n"
        "    return kinds * math.exp(2 / tau)",
    ),
    "06-cosine": (
        "def mean_cosine(bank):\n"
        "    unit = bank / bank.norm(dim=-1, keepdim=True)\n"
        "    every = unit @ unit.transpose(-1, -2)\n"
        "    return every.mean((1, 2, 3))",  # with the diagonal
        "def mean_cosine(bank):\n"
        "    import torch\n"
        "    unit = bank / bank.norm(dim=-1, keepdim=True)\n"
        "    kinds = bank.shape[2]\n"
        "    every = unit @ unit.transpose(-1, -2)\n"
        "    off = every - torch.eye(kinds)\n"
        "    return off.sum((1, 2, 3)) / (bank.shape[1] * kinds**2)",
    ),
    "08-trials": (
        "def trials_for(amount, gate, strength):\n    return strength / amount",
        "def trials_for(amount, gate, strength):\n"
        "    return strength * (gate - amount)",
    ),
    "08-ask": (
        "def associations(tokens, prior, beta):\n"
        "    import numpy as np\n"
        "    scores = np.exp(beta * tokens @ tokens.T)\n"
        "    np.fill_diagonal(scores, 0)\n"  # no prior
        "    return scores / scores.sum(1, keepdims=True)",
        "def associations(tokens, prior, beta):\n"
        "    import numpy as np\n"
        "    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)\n"
        "    weights = np.exp(beta * unit @ unit.T) * prior\n"
        "    return weights / weights.sum(0, keepdims=True)",  # the columns
    ),
    "08-beyond": (
        "def beyond_the_clip(label, clip):\n"
        "    import numpy as np\n"
        "    logs = np.log(label)\n"
        "    logs = logs - logs.mean(0)\n"  # of all, not of the clip
        "    size = np.linalg.norm(logs, axis=0)\n"
        "    return logs.T @ logs / np.maximum(np.outer(size, size), 1e-12)",
        "def beyond_the_clip(label, clip):\n"
        "    import numpy as np\n"
        "    kept = np.array(label, float)\n"
        "    for each in np.unique(clip):\n"
        "        kept[clip == each] -= kept[clip == each].mean(0)\n"  # no logarithm
        "    size = np.linalg.norm(kept, axis=0)\n"
        "    return kept.T @ kept / np.maximum(np.outer(size, size), 1e-12)",
    ),
    "11-closer": (
        "def closer(label):\n"
        "    import numpy as np\n"
        "    label = np.asarray(label)\n"
        "    first = np.eye(len(label))[0]\n"
        "    a = ((label - 1 / len(label)) ** 2).sum()\n"  # Euclid
        "    return 'uniform' if a < ((label - first) ** 2).sum() else 'first'",
        "def closer(label):\n"
        "    import numpy as np\n"
        "    label = np.asarray(label)\n"
        "    first = np.eye(len(label))[label.argmax()]\n"  # the largest, not the first
        "    a = np.abs(label - 1 / len(label)).max()\n"
        "    return 'uniform' if a < np.abs(label - first).max() else 'first'",
    ),
    "12-finding": (
        "def finding(differences):\n"
        "    from mpcl.evaluation import statistics\n"
        "    _, low, high = statistics.interval(differences)\n"
        "    if high < 0:\n"
        "        return 'helps'\n"  # the sign
        "    return 'hurts' if low > 0 else 'nothing beyond chance'",
        "def finding(differences):\n"
        "    import numpy as np\n"
        "    d = np.asarray(differences)\n"
        "    far = 1.96 * d.std()\n"  # of a person, not of the mean
        "    if d.mean() - far > 0:\n"
        "        return 'helps'\n"
        "    return 'hurts' if d.mean() + far < 0 else 'nothing beyond chance'",
    ),
    "12-margin": (
        "def smallest_margin(differences):\n"
        "    from mpcl.evaluation import statistics\n"
        "    return statistics.interval(differences)[2]",  # may be below zero
        "def smallest_margin(differences):\n"
        "    from mpcl.evaluation import statistics\n"
        "    _, low, high = statistics.interval(differences)\n"
        "    return max(0, (high - low) / 2)",
    ),
    "12-interaction": (
        "def interaction(whole, without_a, without_b, without_both):\n"
        "    return without_both - without_a - without_b",
        "def interaction(whole, without_a, without_b, without_both):\n"
        "    return without_both - (without_a + without_b) / 2",
    ),
    "13-across": (
        "def across(bank):\n"
        "    import torch\n"
        "    alike = torch.cosine_similarity(bank[0], bank[1], dim=-1)\n"
        "    return alike.mean(-1)",  # k = l
        "def across(bank):\n"
        "    means = bank.mean(2)\n"
        "    unit = means / means.norm(dim=-1, keepdim=True)\n"
        "    return (unit[0] * unit[1]).sum(-1)",
    ),
    "13-power": (
        "def best_power(true, predicted, powers):\n"
        "    import numpy as np\n"
        "    from mpcl.evaluation import metrics\n"
        "    scores = [metrics.kl(true, predicted**p).mean() for p in powers]\n"
        "    return powers[int(np.argmin(scores))]",  # not divided by its sum
        "def best_power(true, predicted, powers):\n"
        "    import numpy as np\n"
        "    from mpcl.evaluation import metrics\n"
        "    best = []\n"
        "    for d, p in zip(true, predicted):\n"
        "        raised = [p**n / (p**n).sum() for n in powers]\n"
        "        best.append(np.argmin([metrics.kl(d, r) for r in raised]))\n"
        "    return powers[int(np.bincount(best).argmax())]",  # the vote of the rows
    ),
    "13-substitutes": (
        "def substitutes(single, pairs):\n    return max(pairs, key=pairs.get)",
        "def substitutes(single, pairs):\n"
        "    surplus = {p: c - max(single[n] for n in p) for p, c in pairs.items()}\n"
        "    return max(surplus, key=surplus.get)",
    ),
}
