"""What a person's own answers correct, and all that they must not touch."""

import numpy as np
import pytest
import torch
import xarray as xr

from mpcl.data.contract import modalities
from mpcl.errors import ParameterError
from mpcl.evaluation.metrics import participant_scores
from mpcl.evaluation.personal import STRENGTHS, Personal, Reading, choose
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import METHODS, PERSONAL, make
from mpcl.simulation.cohort import cohort as simulate
from mpcl.splits import (
    folds,
    inner,
    most_answered,
    names,
    nested,
    part,
    turns,
    without_neighbours,
)
from mpcl.training.settings import Settings
from tests.test_leakage import poisoned

FEW = Settings(epochs=1, batch=32)
ASKED = ["own_mean", "mean_label_corrected", "ridge-corrected", "mpcl-remembers"]


@pytest.fixture(scope="module")
def study():
    return simulate(participants=8, clips=6, windows=2, seed=11)


def ask(study, name, count, settings=FEW, fold=None):
    """What a predictor says of all windows (window, emotion)."""
    every = None if fold is None else [fold]
    protocol = f"participants-after-{count}"
    predicted = held_out(study, name, protocol, [0], settings, "cpu", folds=every)
    return predicted.predicted.values[0]


# The protocol -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trials, most", [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (16, 8), (24, 8)]
)
def test_at_least_half_of_the_trials_are_left_to_score(trials, most):
    coords = {
        "trial": [f"{trial:02}" for trial in range(trials)],
        "participant": ["P"] * trials,
    }
    coords = {name: ("window", values) for name, values in coords.items()}
    assert most_answered(xr.Dataset(coords=coords)) == most


def test_turns_follow_the_clock_and_not_the_file(study):
    shuffled = np.random.default_rng(0).permutation(study.sizes["window"])
    turn = turns(study.isel(window=shuffled))
    person = study.participant.values[shuffled]
    start = study.start.values[shuffled]
    for name in names(study):
        rows = np.flatnonzero(person == name)
        in_time = turn[rows[np.argsort(start[rows])]]
        assert (np.diff(in_time) >= 0).all() and set(in_time) == set(range(6))


def test_every_number_of_answers_is_scored_on_the_same_trials(study):
    is_early = turns(study) < 2
    for count in (0, 1, 2):
        unscored = np.isnan(ask(study, "ridge-corrected", count)).all(1)
        assert np.array_equal(unscored, is_early)


@pytest.mark.parametrize("word", ["3", "x", "", "-1"])
def test_more_than_can_be_told_or_no_number_is_refused(study, word):
    with pytest.raises(ParameterError):
        folds(study, f"participants-after-{word}")


def test_the_folds_are_those_of_participants_with_the_same_random_numbers(study):
    assert folds(study, "participants-after-2") == folds(study, "participants")
    training = part(study, folds(study, "participants")[0])[0]
    assert inner(training, "participants-after-2") == inner(training, "participants")


def test_a_pair_of_folds_trains_on_nobody_whom_either_holds_out(study):
    outer = folds(study, "participants")
    for fold, after, pair in zip(
        outer, [*outer[1:], outer[0]], without_neighbours(outer), strict=True
    ):
        assert set(pair.held_out) == set(fold.held_out) | set(after.held_out)
        assert not set(pair.training) & set(pair.held_out)
        assert set(pair.training) | set(pair.held_out) == set(range(96))
    assert len({pair.key for pair in without_neighbours(outer)}) == len(outer)


# What must not be read ----------------------------------------------------------------


@pytest.mark.parametrize("name", ASKED)
def test_labels_of_untold_trials_of_held_out_people_change_nothing(study, name):
    fold = folds(study, "participants")[0]
    is_late = turns(study)[list(fold.held_out)] >= 1
    spoilt = study.copy(deep=True)
    for variable in ("distribution", "rating"):
        spoilt[variable].values[np.array(fold.held_out)[is_late]] = -7
    clean, other = (ask(each, name, 1, fold=fold) for each in (study, spoilt))
    assert np.array_equal(clean, other, equal_nan=True)
    assert np.isfinite(clean).any()


@pytest.mark.parametrize("name", ["ridge-corrected", "mpcl-remembers"])
def test_features_of_other_untold_trials_change_nothing_if_inductive(study, name):
    settings = Settings(epochs=1, batch=32, normalisation="inductive")
    fold = folds(study, "participants")[0]
    rows, turn = np.array(fold.held_out), turns(study)[list(fold.held_out)]
    clean = ask(study, name, 1, settings, fold)
    spoilt = poisoned(study, rows[(turn >= 1) & (turn != 4)])
    other = ask(spoilt, name, 1, settings, fold)
    assert np.array_equal(clean[rows[turn == 4]], other[rows[turn == 4]])
    changed = clean[rows[turn == 5]], other[rows[turn == 5]]
    assert not np.array_equal(*changed)


@pytest.mark.parametrize("name", ["ridge-corrected", "mpcl-remembers"])
def test_the_future_changes_nothing_with_a_running_baseline(study, name):
    settings = Settings(epochs=1, batch=32, normalisation="running")
    fold = folds(study, "participants")[0]
    rows, turn = np.array(fold.held_out), turns(study)[list(fold.held_out)]
    clean = ask(study, name, 2, settings, fold)
    other = ask(poisoned(study, rows[turn > 4]), name, 2, settings, fold)
    past = rows[turn <= 4]
    assert np.array_equal(clean[past], other[past], equal_nan=True)


@pytest.mark.parametrize("name", ASKED)
def test_a_second_person_begins_with_an_empty_memory(study, name):
    """What the first of two held-out people answered is of no use to the second."""
    fold = folds(study, "participants")[0]
    rows = np.array(fold.held_out)
    person = study.participant.values[rows]
    is_first = person == person[0]
    label = study.distribution.values.copy()
    label[rows[is_first]] = label[rows[is_first]][:, ::-1]
    other = study.assign(distribution=(("window", "emotion"), label))
    clean, changed = (ask(each, name, 2, fold=fold) for each in (study, other))
    second, scored = rows[~is_first], rows[is_first & (turns(study)[rows] >= 2)]
    assert np.array_equal(clean[second], changed[second], equal_nan=True)
    assert not np.array_equal(clean[scored], changed[scored])


@pytest.mark.parametrize("name", ["ridge-corrected", "mpcl-remembers"])
def test_temperature_and_strength_are_of_training_people_alone(study, name):
    outer = folds(study, "participants")
    spoilt = poisoned(study, list(outer[0].held_out))
    chosen, lessons = [], []
    for dataset in (study, spoilt):
        personal = make(name, FEW, "cpu")
        for fold, _, fitted in personal.fit_folds(
            dataset, outer[:1], [0], "participants-after-2"
        ):
            assert fold == outer[0]
            chosen.append((fitted.beta, fitted.strength))
            lessons.append(fitted.lessons)
    assert chosen[0] == chosen[1]
    for clean, other in zip(*lessons, strict=True):
        assert torch.equal(clean.predicted, other.predicted)
    assert len(lessons[0]) == 6


def test_what_is_missed_is_read_by_networks_that_met_neither_fold(study):
    met = []

    class Notes:
        """A mean label that notes whom it was asked about, and whom it knows."""

        def fit(self, training):
            self.people = set(names(training))
            self.mean = training.distribution.mean("window").values

        def predict(self, test):
            met.append((frozenset(self.people), frozenset(names(test))))
            return np.repeat(self.mean[None], test.sizes["window"], 0)

    outer = folds(study, "participants")
    protocol = "participants-after-2"
    every = list(Personal([Notes()]).fit_folds(study, outer, [0], protocol))
    assert met and not any(known & asked for known, asked in met)
    assert {len(known) for known, _ in met} <= {4, 5, 6}
    for fold, _, fitted in every:
        count = len(set(names(part(study, fold)[0])))
        assert 0 < len(fitted.lessons) <= count


# What is learned ----------------------------------------------------------------------


def lesson(missing, people=4, trials=8, seed=0):
    """People of whom a constant prediction misses ``missing(random)`` in each trial."""
    random = np.random.default_rng(seed)
    lessons = []
    for _ in range(people):
        lack = missing(random, trials)  # (trial, 3)
        label = np.exp(lack) / np.exp(lack).sum(1, keepdims=True)
        plain = torch.full((trials, 3), 1 / 3, dtype=torch.float64)
        keys = torch.nn.functional.normalize(torch.from_numpy(lack), dim=1)
        label = torch.from_numpy(label)
        lessons.append(Reading(keys, plain, label, torch.arange(trials)))
    return lessons


def test_a_person_who_always_differs_alike_is_believed_at_once():
    lessons = lesson(lambda random, n: np.tile(random.normal(0, 0.5, 3), (n, 1)))
    assert choose(lessons, (0.0,)) == (0.0, min(STRENGTHS))


def test_a_person_who_differs_by_chance_is_hardly_believed():
    lessons = lesson(lambda random, n: random.normal(0, 0.5, (n, 3)), 40)
    assert choose(lessons, (0.0,))[1] >= 32


def test_a_temperature_is_chosen_where_likeness_tells():
    def by_kind(random, n):
        sign = np.where(np.arange(n) % 2, 1, -1)[:, None]
        return sign * np.array([[0.6, 0.0, -0.6]])

    assert choose(lesson(by_kind), (0.0, 10.0))[0] == 10.0


def test_without_anything_to_play_on_nothing_is_believed():
    lessons = lesson(lambda random, n: random.normal(0, 1, (n, 3)), trials=1)
    assert choose(lessons, (0.0, 1.0)) == (0.0, max(STRENGTHS))


def test_own_mean_is_the_mean_of_what_was_answered(study):
    guess = ask(study, "own_mean", 2)
    for name in names(study):
        rows = study.participant.values == name
        is_told = rows & (turns(study) < 2)
        mean = study.distribution.values[is_told].mean(0)
        late = rows & (turns(study) >= 2)
        np.testing.assert_allclose(guess[late], np.tile(mean, (late.sum(), 1)))


@pytest.mark.parametrize("name", ["own_mean", "mean_label_corrected"])
def test_before_any_answer_a_floor_is_the_mean_label(study, name):
    clean, floor = (ask(study, each, 0) for each in (name, "mean_label"))
    assert np.array_equal(clean, floor, equal_nan=True)


@pytest.mark.parametrize("name", ["ridge", "mpcl"])
def test_before_any_answer_nothing_is_corrected(study, name):
    clean, plain = (ask(study, each, 0) for each in (f"{name}-corrected", name))
    assert np.array_equal(clean, plain, equal_nan=True)


def test_answers_help_where_people_differ(study):
    """Everybody answers in a way of their own that no signal shows."""
    random = np.random.default_rng(0)
    person = study.participant.values
    label = study.distribution.values.copy()
    for name in names(study):
        label[person == name] *= np.exp(random.normal(0, 1, label.shape[1]))
    label /= label.sum(1, keepdims=True)
    other = study.assign(distribution=(("window", "emotion"), label))
    kl = [
        participant_scores(other, ask(other, "ridge-corrected", count))
        .sel(metric="kl")
        .mean()
        .item()
        for count in (0, 1, 2)
    ]
    assert kl[0] > kl[1] > kl[2]


def test_names_are_no_part_of_all_and_the_same_without_a_protocol(study):
    assert not set(PERSONAL) & set(METHODS)
    fold = folds(study, "participants")[0]
    each = [
        held_out(study, name, "participants", settings=FEW, device="cpu", folds=[fold])
        for name in ("ridge", "ridge-corrected")
    ]
    np.testing.assert_array_equal(*(one.predicted.values for one in each))


def test_inner_folds_stand_in_where_there_is_no_pair(study):
    fold = folds(study, "participants")[0]
    [(_, _, fitted)] = make("ridge-corrected", FEW).fit_folds(
        study, [fold], [0], "participants-after-2"
    )
    assert len(nested(study, fold, "participants-after-2")) == 5
    assert len(fitted.lessons) == len(names(part(study, fold)[0]))
    alone = make("ridge-corrected", FEW).fit(part(study, fold)[0])
    assert alone.strength == fitted.strength


def test_signals_of_the_study_are_left_alone(study):
    before = study.copy(deep=True)
    ask(study, "ridge-corrected", 2)
    xr.testing.assert_identical(study, before)
    assert modalities(study)
