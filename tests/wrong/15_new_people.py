"""Answers to the exercises of chapter 15."""

import numpy as np
from scipy import stats

from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the share above", "share of training energies below")
def unfamiliarity(energy, training):
    return (training[None] > energy[:, None]).mean(1)


@wrong("the mean over new trials", "one number a new trial")
def unfamiliarity(energy, training):
    return (training[None] < energy[:, None]).mean(0)


@wrong("by how far, and not by how many", "share of training energies below")
def unfamiliarity(energy, training):
    return (energy - training.min()) / (training.max() - training.min())


@wrong("a normal distribution is assumed", "share of training energies below|only the")
def unfamiliarity(energy, training):
    return stats.norm.cdf(energy, training.mean(), training.std())


@wrong("a count", "share of training energies below")
def unfamiliarity(energy, training):
    return (training[None] < energy[:, None]).sum(1)


@right("a loop")
def unfamiliarity(energy, training):
    return [sum(each < one for each in training) / len(training) for one in energy]


@right("by sorting")
def unfamiliarity(energy, training):
    return np.searchsorted(np.sort(training), energy) / len(training)


@wrong("whoever has a high KL", "even worse|equally well")
def failed_by(model, floor):
    names = [name for name in model if model[name] > 0.25]
    return sorted(names, key=model.get, reverse=True)


@wrong("equal is failed too", "equally well")
def failed_by(model, floor):
    behind = {name: model[name] - floor[name] for name in model}
    names = [name for name in behind if behind[name] >= 0]
    return sorted(names, key=behind.get, reverse=True)


@wrong("the nearest first", "furthest behind first")
def failed_by(model, floor):
    behind = {name: model[name] - floor[name] for name in model}
    return sorted((name for name in behind if behind[name] > 0), key=behind.get)


@wrong("ordered by the KL", "not by the KL")
def failed_by(model, floor):
    names = [name for name in model if model[name] > floor[name]]
    return sorted(names, key=model.get, reverse=True)


@wrong("as they stand in the dict", "furthest behind first")
def failed_by(model, floor):
    return [name for name in model if model[name] > floor[name]]


@wrong("matched by place, not by name", "nobody, where both are alike")
def failed_by(model, floor):
    behind = dict(zip(model, np.subtract([*model.values()], [*floor.values()])))  # noqa: B905
    names = [name for name in behind if behind[name] > 0]
    return sorted(names, key=behind.get, reverse=True)


@wrong("whom the model meets better", "even worse")
def failed_by(model, floor):
    behind = {name: floor[name] - model[name] for name in model}
    names = [name for name in behind if behind[name] > 0]
    return sorted(names, key=behind.get, reverse=True)


@right("pairs, sorted")
def failed_by(model, floor):
    pairs = [(model[name] - floor[name], name) for name in model]
    return [name for behind, name in sorted(pairs, reverse=True) if behind > 0]


@right("by pandas")
def failed_by(model, floor):
    import pandas as pd

    behind = pd.Series(model) - pd.Series(floor)
    return behind[behind > 0].sort_values(ascending=False).index.tolist()


@wrong("too familiar may pass", "too familiar")
def usable(predictions, fewest=2, odd=0.95):
    is_usual = predictions.unfamiliar.values <= odd
    is_read = predictions["read"].values.sum(1) >= fewest
    return predictions.trial.values[is_usual & is_read].tolist()


@wrong("no energy passes", "without an energy")
def usable(predictions, fewest=2, odd=0.95):
    unfamiliar = predictions.unfamiliar.values
    is_odd = (unfamiliar < 1 - odd) | (unfamiliar > odd)
    is_read = predictions["read"].values.sum(1) >= fewest
    return predictions.trial.values[~is_odd & is_read].tolist()


@wrong("the bounds are out", "just within")
def usable(predictions, fewest=2, odd=0.95):
    unfamiliar = predictions.unfamiliar.values
    is_usual = (unfamiliar > 1 - odd) & (unfamiliar < odd)
    is_read = predictions["read"].values.sum(1) >= fewest
    return predictions.trial.values[is_usual & is_read].tolist()


@wrong("modalities are not counted", "one modality was read, not two")
def usable(predictions, fewest=2, odd=0.95):
    unfamiliar = predictions.unfamiliar.values
    is_usual = (unfamiliar >= 1 - odd) & (unfamiliar <= odd)
    return predictions.trial.values[is_usual].tolist()


@wrong("all modalities are asked for", "`fewest` and `odd` count")
def usable(predictions, fewest=2, odd=0.95):
    unfamiliar = predictions.unfamiliar.values
    is_usual = (unfamiliar >= 1 - odd) & (unfamiliar <= odd)
    is_read = predictions["read"].values.all(1)
    return predictions.trial.values[is_usual & is_read].tolist()


@wrong("the numbers are written down", "`fewest` and `odd` count")
def usable(predictions, fewest=2, odd=0.95):
    unfamiliar = predictions.unfamiliar.values
    is_usual = (unfamiliar >= 0.05) & (unfamiliar <= 0.95)
    is_read = predictions["read"].values.sum(1) >= 2
    return predictions.trial.values[is_usual & is_read].tolist()


@wrong("rows in place of names", "a trial of middling energy|names, in the order")
def usable(predictions, fewest=2, odd=0.95):
    unfamiliar = predictions.unfamiliar.values
    is_usual = (unfamiliar >= 1 - odd) & (unfamiliar <= odd)
    is_read = predictions["read"].values.sum(1) >= fewest
    return np.flatnonzero(is_usual & is_read).tolist()


@right("a loop")
def usable(predictions, fewest=2, odd=0.95):
    names = []
    for name in predictions.trial.values:
        trial = predictions.sel(trial=name)
        is_read = int(trial["read"].sum()) >= fewest
        if is_read and 1 - odd <= float(trial.unfamiliar) <= odd:
            names.append(name)
    return names


@right("by the distance from the middle")
def usable(predictions, fewest=2, odd=0.95):
    away = abs(predictions.unfamiliar - 0.5)
    counts = predictions["read"].sum("modality")
    chosen = (away <= odd - 0.5 + 1e-12) & (counts >= fewest)
    return list(predictions.trial.values[chosen.values])
