"""Train a model to be kept: an ensemble on all people, scored on people held out."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

import mpcl
from mpcl import provenance, splits
from mpcl.data.contract import CONTRACT_VERSION, fingerprint, modalities, trials
from mpcl.errors import NotApplicable, ParameterError
from mpcl.evaluation.blind import equipped, fit_folds, without_truth
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.metrics import participant_scores
from mpcl.evaluation.networks import Network
from mpcl.evaluation.personal import Reading, choose, readings
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import BETAS, make
from mpcl.evaluation.statistics import interval
from mpcl.laboratory.model import KeptModel, ask, familiarity, layout_of
from mpcl.training.settings import Settings

PREDICTORS = ("mpcl", "helo")
SEEDS = 5
PROTOCOL = "leave-one-participant-out"
UNSCORED = "none"
PROTOCOLS = (PROTOCOL, "participants", UNSCORED)  # of people whom it never met
METRICS = ("kl", "chebyshev", "cosine")
DESCRIBED = ("dataset", "licence", "citation", "rating_scale", "label_recipe")


def train(
    dataset: xr.Dataset,
    predictor: str = "mpcl",
    seeds: int = SEEDS,
    settings: Settings | None = None,
    device: str = "auto",
    protocol: str = PROTOCOL,
) -> KeptModel:
    """Train one network a seed on everybody, and say how well people held out were met.

    Args:
        dataset: follows the contract.
        predictor: ``mpcl``, the frozen network, or ``helo``.
        seeds: how many networks are averaged.
        settings: of the training; the defaults of the predictor if None.
        protocol: of the scores, or ``none``. They are those of one network a fold: of
            the whole ensemble they would take as many times longer. From the same folds
            it is learned how far a person's own answers should correct the model.

    Raises:
        ParameterError: for another predictor, or no seed.
    """
    if predictor not in PREDICTORS:
        choices = " or ".join(PREDICTORS)
        raise ParameterError(f"only {choices} can be kept, not {predictor!r}")
    if protocol not in PROTOCOLS:
        choices = " or ".join(PROTOCOLS)
        raise ParameterError(f"a model is scored on {choices}, not {protocol!r}")
    if seeds < 1:
        raise ParameterError("a model needs at least 1 seed")
    dataset = without_truth(dataset)
    network = make(predictor, settings, device, members=seeds)
    assert isinstance(network, Network)
    about: dict[str, dict[str, Any]] = {"scores": {}, "own": {}}
    if protocol != UNSCORED:
        betas = BETAS if predictor == "mpcl" else BETAS[:1]  # 0: all trials alike
        guess, lessons = _of_people_held_out(dataset, network, protocol, betas)
        about["scores"] = _scores(dataset, predictor, guess, protocol)
        beta, strength = choose(lessons, betas)
        about["own"] = {"beta": beta, "strength": strength}
    network.fit(dataset)
    config, how = network.models[0].config, network.settings.normalisation
    model = KeptModel(
        predictor,
        config,
        network.settings,
        network.models,
        layout_of(dataset, [name for name, *_ in config.modalities], how),
        {},
        {**_about(dataset, network), **about},
    )
    unread = [name for name in modalities(dataset) if name not in model.modalities]
    energy = ask(model, dataset.drop_vars(unread), device=network.device).energy
    return replace(model, familiar=familiarity(energy, model.branches))


def _about(dataset: xr.Dataset, network: Network) -> dict[str, Any]:
    """What was trained on, and by what."""
    return {
        "training": {
            **{name: str(dataset.attrs.get(name, "")) for name in DESCRIBED},
            "participants": splits.names(dataset),
            "trials": len(trials(dataset).names),
            "windows": dataset.sizes["window"],
            "fingerprint": fingerprint(dataset),
        },
        "seeds": list(network.seeds_of_members(network.seed)),
        "mpcl": mpcl.__version__,
        "contract_version": CONTRACT_VERSION,
        "commit": provenance.commit(),
        "versions": provenance.versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _of_people_held_out(
    dataset: xr.Dataset, network: Network, protocol: str, betas: tuple[float, ...]
) -> tuple[np.ndarray, list[Reading]]:
    """What one network a fold says (window, emotion) of people whom it never met."""
    guess = np.full(dataset.distribution.shape, np.nan)
    lessons: list[Reading] = []
    alone, folds = equipped(network, members=1), splits.folds(dataset, protocol)
    for fold, _, fitted in fit_folds(dataset, alone, protocol, folds, [network.seed]):
        windows = splits.part(dataset, fold)[1]
        predicted, people = readings(fitted, windows, max(betas) > 0)
        guess[list(fold.held_out)] = predicted
        lessons += [read for _, read in people]
    return guess, lessons


def _scores(
    dataset: xr.Dataset, predictor: str, guess: np.ndarray, protocol: str
) -> dict[str, Any]:
    """Mean and interval of each metric over people, by trial, floors first.

    And whom the model failed: the people whom the mean label meets better.
    """
    predicted: dict[str, np.ndarray] = {}
    reasons: dict[str, str] = {}
    for name in (*FLOORS, *CONDITIONAL):
        try:
            predicted[name] = held_out(dataset, name, protocol).predicted.values[0]
        except NotApplicable as reason:
            reasons[name] = str(reason)
    predicted[predictor] = guess
    means: dict[str, dict[str, list[float]]] = {}
    kl: dict[str, xr.DataArray] = {}
    for name, values in predicted.items():
        scores = participant_scores(dataset, values, "trial")
        means[name] = {
            metric: np.round(interval(scores.sel(metric=metric).values), 4).tolist()
            for metric in METRICS
        }
        kl[name] = scores.sel(metric="kl")
    is_failed = (kl[predictor] > kl["mean_label"]).values
    return {
        "protocol": protocol,
        "people": len(is_failed),
        "failed": kl[predictor].participant.values[is_failed].tolist(),
        "not_applicable": reasons,
        "means": means,
    }
