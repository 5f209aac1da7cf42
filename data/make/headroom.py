"""What there is to gain in each simulated world, before a network of ours trains there.

``python -m data.make.headroom data/results/headroom.csv`` (about ten minutes of one
core) trains readers of scikit-learn on 36,000 trials of other people at other clips and
scores them on cohorts held out. A straight-line reader (ridge) sees two moments; how
far others come beyond it is what structure is worth in that world, and ``bayes``, which
knows the latent state, is the end of the road. Readers see

* ``features``: the z-scored features (transductive), windows of a trial averaged;
* ``noisy phi``: affect itself with noise of 1.2 of its standard deviation, the measure
  on which the recipe of the second world was chosen;
* ``blend``: which of the sixteen centres is nearest, alone or beside the features. That
  is known of simulated people only, and never given to a network.
"""

import sys
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mpcl.data.contract import trials
from mpcl.evaluation import metrics
from mpcl.files import write_text
from mpcl.normalisation import standardise
from mpcl.simulation import blends, latent
from mpcl.simulation import cohort as simulated

# neither for development (1001-1004) nor for confirmation (1-10)
TRAINING = (50, range(2001, 2031))  # people and seeds of cohorts: 36,000 trials
HELD_OUT = (40, range(2101, 2106))
NOISE = 1.2  # SDs of phi
# settings that were fixed before the first run; no learner was tuned on these cohorts
RIDGE = RidgeCV(tuple(np.logspace(0, 4, 9)))
BOOSTING = MultiOutputRegressor(
    HistGradientBoostingRegressor(max_iter=200, early_stopping=True, random_state=0)
)
MLP = MLPRegressor(
    hidden_layer_sizes=(128, 128),
    early_stopping=True,
    max_iter=60,
    batch_size=512,
    random_state=0,
)
READERS: list[tuple[str, str, tuple[str, ...], BaseEstimator]] = [
    ("features", "ridge", ("features",), RIDGE),
    ("features", "boosting", ("features",), BOOSTING),
    ("features", "mlp", ("features",), MLP),
    ("noisy phi", "ridge", ("phi",), RIDGE),
    ("noisy phi", "boosting", ("phi",), BOOSTING),
    ("noisy phi", "mlp", ("phi",), MLP),
    ("blend", "ridge", ("blend",), RIDGE),
    ("blend and features", "ridge", ("blend", "features"), RIDGE),
    ("blend and features", "mlp", ("blend", "features"), MLP),
]


class Trials(NamedTuple):
    """What can be read of trials, and what is true of them."""

    features: np.ndarray  # (trial, feature)
    phi: np.ndarray  # (trial, term), noisy
    blend: np.ndarray  # (trial, centre), 1 at the nearest
    labels: np.ndarray  # (trial, emotion)
    bayes: np.ndarray  # (trial, emotion)
    participant: np.ndarray  # (trial,)


def read(world: str, participants: int, seeds: range) -> Trials:
    """Simulate cohorts of a world, and put their trials under one another."""
    cohorts = []
    for seed in seeds:
        size = {**simulated.BENCHMARK, "participants": participants}
        dataset = simulated.cohort(**size, seed=seed, latent=world)
        features = np.concatenate([*standardise(dataset, dataset).features.values()], 1)
        grouped = trials(dataset)
        of_trial = dataset.isel(window=grouped.first)
        phi = simulated.affect(of_trial.truth_intensity.values)
        noise = np.random.default_rng([9, seed]).standard_normal(phi.shape)
        read_of_cohort = Trials(
            grouped.mean(features),
            phi + NOISE * phi.std(0) * noise,
            np.eye(blends.CENTRES)[nearest(of_trial)],
            of_trial.distribution.values,
            of_trial.truth_bayes.values,
            np.char.add(f"{seed} ", of_trial.participant.values.astype(str)),
        )
        cohorts.append(read_of_cohort)
    return Trials(*map(np.concatenate, zip(*cohorts, strict=True)))


def nearest(of_trial: xr.Dataset) -> np.ndarray:
    """The number (trial,) of the nearest centre, which has a meaning in both worlds."""
    seed, clips = int(of_trial.cohort_seed), simulated.BENCHMARK["clips"]
    people = len(np.unique(of_trial.participant))
    _, number = blends.log_odds(*latent.effects(people, clips, seed))
    who = of_trial.participant.str.slice(1).astype(int).values - 1
    return number[who, of_trial["clip"].str.slice(1).astype(int).values - 1]


def predict(
    training: Trials, test: Trials, columns: tuple[str, ...], learner: BaseEstimator
) -> np.ndarray:
    """Distributions (trial, emotion) by a learner of centred log-labels."""
    log = np.log(training.labels)
    target = log - log.mean(1, keepdims=True)
    seen, unseen = (
        np.concatenate([getattr(part, column) for column in columns], 1)
        for part in (training, test)
    )
    fitted = make_pipeline(StandardScaler(), learner).fit(seen, target)
    return softmax(fitted.predict(unseen), 1)


def realised(world: str) -> dict[str, float]:
    """What affect explains of a window, a modality, over 400 people at 100 clips."""
    drawn = latent.effects(400, 100)
    eta = latent.log_odds(*drawn)
    if world == "blends":
        eta, _ = blends.log_odds(*drawn)
    share = simulated.explained(simulated.drive(expit(eta))).round(3).tolist()
    return dict(zip(simulated.MODALITIES, share, strict=True))


def kl(test: Trials, guess: np.ndarray) -> tuple[float, float]:
    """KL averaged over trials, then people, and its standard error over people."""
    table = pd.DataFrame(
        {"kl": metrics.kl(test.labels, guess), "person": test.participant}
    )
    people = table.groupby("person").kl.mean()
    return people.mean(), people.std() / len(people) ** 0.5


def main(out: str) -> None:
    """Print and write the table."""
    rows = []
    for world in simulated.WORLDS:
        print(f"{world}: explained {realised(world)}")
        training, test = read(world, *TRAINING), read(world, *HELD_OUT)
        mean_label = np.tile(training.labels.mean(0), (len(test.labels), 1))
        guesses = {("nothing", "mean_label"): mean_label}
        for reads, name, columns, learner in READERS:
            guesses[reads, name] = predict(training, test, columns, learner)
        guesses["latent state", "bayes"] = test.bayes
        for (reads, name), guess in guesses.items():
            mean, error = kl(test, guess)
            rows.append([date.today(), world, reads, name, mean, error])
            print(f"{world}: {reads}, {name}: {mean:.4f} +- {error:.4f}", flush=True)
    names = ["date", "world", "reads", "predictor", "kl", "standard_error"]
    write_text(pd.DataFrame(rows, columns=names).round(5).to_csv(index=False), out)


if __name__ == "__main__":
    main(sys.argv[1])
