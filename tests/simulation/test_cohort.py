"""The simulated cohort does what its design says, and its truth is true."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import kurtosis

from mpcl.data import contract, labels
from mpcl.errors import ParameterError
from mpcl.simulation import cohort as simulated
from mpcl.simulation import latent, streams

COMMITTED = Path(__file__).parents[2] / "data" / "simulated.nc"
SEEDS = range(101, 111)  # neither the development nor the confirmation seeds
SAME = np.equal.outer(latent.VALENCE, latent.VALENCE) & ~np.eye(10, dtype=bool)
OPPOSITE = ~np.equal.outer(latent.VALENCE, latent.VALENCE)


@pytest.fixture(scope="module")
def cohorts():
    return [simulated.cohort(**simulated.BENCHMARK, seed=seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def trials(cohorts):
    return [
        cohort.isel(window=slice(None, None, simulated.BENCHMARK["windows"]))
        for cohort in cohorts
    ]


@pytest.fixture(scope="module")
def default():
    return simulated.cohort()


def intensities(participants, clips, seed=0):
    return expit(latent.log_odds(*latent.effects(participants, clips, seed)))


def orders(participants, clips):
    return np.argsort(np.random.default_rng(0).random((participants, clips)), 1)


def kl(true, predicted):
    return float((true * np.log(true / predicted)).sum(-1).mean())


def within(values):
    """Deviations from the participant's mean, as (participant, row, feature)."""
    values = values.reshape(len(values), -1, values.shape[-1])
    return values - values.mean(1, keepdims=True)


# The data set


def test_committed_file_is_what_the_code_makes(default):
    committed = contract.read(COMMITTED)
    assert COMMITTED.stat().st_size < 2_000_000
    xr.testing.assert_allclose(
        committed, default, rtol=1e-6, atol=1e-6
    )  # last bits may differ between machines
    assert committed.attrs == default.attrs
    assert {name: committed[name].attrs for name in committed} == {
        name: default[name].attrs for name in default
    }
    assert {name: committed[name].dtype for name in committed} == {
        name: default[name].dtype for name in default
    }
    for name in (
        "rating",
        "distribution",
        "truth_artefact",
        *contract.LABELS,
        "start",
        "stop",
        "eeg_feature",
    ):
        np.testing.assert_array_equal(committed[name].values, default[name].values)


def test_written_and_read_back_identical(default, tmp_path):
    path = contract.write(default, tmp_path / "cohort.nc")
    xr.testing.assert_identical(contract.read(path), default)
    assert contract.fingerprint(contract.read(path)) == contract.fingerprint(default)


def test_same_seed_same_cohort_in_another_process(default):
    code = (
        "from mpcl.data.contract import fingerprint\n"
        "from mpcl.simulation.cohort import cohort\n"
        "print(fingerprint(cohort()))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == contract.fingerprint(default)


def test_other_seeds_share_nothing_random():
    first, second = (simulated.cohort(4, 6, 2, seed=seed) for seed in (0, 1))
    for name in ("truth_eta", "truth_style", "rating", *contract.modalities(first)):
        assert not np.array_equal(first[name], second[name], equal_nan=True)
    assert (
        first.trial.values.tolist() != second.trial.values.tolist()
    )  # the order of the clips
    xr.testing.assert_equal(first.truth_correlation, second.truth_correlation)


def test_streams_are_independent_of_each_other_and_of_the_seed_beside():
    draws = np.stack(
        [
            streams.normal(seed, name, 1, 4000)[0]
            for seed in (0, 1)
            for name in streams.STREAMS
        ]
    )
    assert np.abs(np.corrcoef(draws) - np.eye(len(draws))).max() < 5 / np.sqrt(4000)


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()
    simulated.cohort(2, 2, 1)
    assert np.array_equal(before, np.random.get_state()[1])


def test_more_participants_leave_the_others_alone():
    few, many = simulated.cohort(3, 5, 2, seed=7), simulated.cohort(6, 5, 2, seed=7)
    first = many.isel(window=np.isin(many.participant, few.participant.values))
    xr.testing.assert_allclose(first, few, rtol=1e-6, atol=1e-6)


def test_more_clips_and_windows_leave_the_answers_alone():
    def answers(clips, windows):
        rows = simulated.cohort(3, clips, windows, seed=7).isel(
            window=slice(None, None, windows)
        )
        return rows.set_index(window="trial")[
            ["rating", "truth_eta", "truth_style"]
        ].drop_vars(["start", "stop"])

    few, many = answers(4, 2), answers(9, 3)
    chosen = many.sel(window=few.window)
    xr.testing.assert_allclose(chosen, few)


def test_rows_follow_time_and_trials_follow_one_another(default):
    orders = []
    for _, rows in default.groupby("participant"):
        start, stop = rows.start.values, rows.stop.values
        assert (np.diff(start) > 0).all() and (start[1:] >= stop[:-1] - 1e-9).all()
        gap = start[1:] - stop[:-1]
        assert gap[4::5] == pytest.approx(simulated.PAUSE_SECONDS)
        assert np.delete(gap, np.s_[4::5]) == pytest.approx(0, abs=1e-9)
        orders.append(tuple(rows["clip"].values[::5]))
        assert sorted(orders[-1]) == [f"C{number:02d}" for number in range(1, 17)]
    assert len(set(orders)) == default.sizes["window"] // 80
    names = zip(default.participant.values, default["clip"].values, strict=True)
    assert default.trial.values.tolist() == [f"{who}-{what}" for who, what in names]


def test_windows_of_a_trial_share_the_state_and_differ_in_features(default):
    assert (
        default.trial.values.reshape(-1, 5) == default.trial.values[::5, None]
    ).all()
    for name in (
        "rating",
        "distribution",
        "truth_eta",
        "truth_bayes",
        "truth_bayes_style",
        "truth_style",
    ):
        trial = default[name].values.reshape(-1, 5, default[name].shape[1])
        assert (trial == trial[:, :1]).all()
    for name in contract.modalities(default):
        trial = default[name].values.reshape(-1, 5, default[name].shape[1])
        present = trial[~np.isnan(trial).any((1, 2))]
        assert (np.ptp(present, axis=1) > 0).all()


def test_names_branches_and_units(default):
    names = {
        name: default.sizes[f"{name}_feature"] for name in contract.modalities(default)
    }
    assert names == {
        "eeg": 40,
        "cardiac": 6,
        "eda": 5,
        "respiration": 3,
        "temperature": 2,
        "face": 34,
        "head": 4,
    }
    assert contract.modalities(default, "behavioural") == ["face", "head"]
    assert {"Fp1 alpha", "Fz theta"} <= set(default.eeg_feature.values)
    assert {"heart rate", "RMSSD"} <= set(default.cardiac_feature.values)
    assert {"AU12 mean", "AU45 std"} <= set(default.face_feature.values)
    for name in names:
        assert default[name].dtype == "float32" and set(
            default[f"{name}_unit"].values
        ) == {"1"}
    assert sum(latent.VALENCE) == 0 and len(latent.CLIP_TYPES) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"participants": 0}, "at least one of its participants"),
        ({"clips": -3}, "at least one of its clips"),
        ({"windows": 1.5}, "at least one of its windows"),
        ({"participants": "many"}, "not 'many'"),
        ({"seed": -1}, "non-negative integer"),
        ({"seed": None}, "non-negative integer"),
        ({"seed": 2**63}, "below 2\\^63"),
        ({"epsilon": 0}, "epsilon must be positive"),
        ({"epsilon": "sharp"}, "epsilon must be positive"),
        ({"epsilon": float("nan")}, "epsilon must be positive"),
    ],
)
def test_bad_arguments_are_named_in_one_sentence(arguments, words):
    with pytest.raises(ParameterError, match=words) as raised:
        simulated.cohort(**arguments)
    assert "\n" not in str(raised.value)


@settings(max_examples=25, deadline=None)
@given(
    participants=st.integers(1, 4),
    clips=st.integers(1, 7),
    windows=st.integers(1, 7),
    seed=st.integers(0, 2**63 - 1),
    epsilon=st.sampled_from([None, 0.05, 1, 3.5]),
)
def test_the_contract_holds_for_any_size(participants, clips, windows, seed, epsilon):
    cohort = contract.check(
        simulated.cohort(participants, clips, windows, seed, epsilon)
    )
    assert cohort.sizes["window"] == participants * clips * windows
    assert int(cohort.attrs["cohort_seed"]) == seed
    assert set(np.unique(cohort.rating)) <= {1, 2, 3, 4, 5}
    for name in ("truth_bayes", "truth_bayes_style"):
        assert (cohort[name] > 0).all()
        np.testing.assert_allclose(cohort[name].sum("emotion"), 1, atol=1e-9)


def test_sharp_labels_change_the_labels_alone():
    dull, sharp = simulated.cohort(4, 4, 2), simulated.cohort(4, 4, 2, epsilon=0.05)
    xr.testing.assert_equal(
        sharp.distribution, labels.distribution(sharp.rating, epsilon=0.05)
    )
    changed = ["distribution", "truth_bayes", "truth_bayes_style"]
    xr.testing.assert_equal(dull.drop_vars(changed), sharp.drop_vars(changed))


# Feelings and ratings


def test_planted_correlation_is_a_correlation():
    planted = latent.correlation()
    assert np.array_equal(planted, planted.T) and (np.diag(planted) == 1).all()
    assert np.linalg.eigvalsh(planted).min() > 0.1
    root = latent.power(planted, 0.5)
    np.testing.assert_allclose(root @ root, planted, atol=1e-12)


@pytest.mark.parametrize("clips", [1, 4, 16, 24, 97])
def test_clip_types_keep_their_shares(clips):
    types = latent.clip_types(clips)
    for name, (share, *_) in latent.CLIP_TYPES.items():
        assert abs(types.count(name) - share * clips) < 1
    assert types == latent.clip_types(clips + 5)[:clips]


def test_planted_correlation_and_spreads_are_recovered_from_the_latents():
    clip, participant, interaction = latent.effects(400, 400)
    types = np.array(latent.clip_types(400))
    clip = np.concatenate(
        [
            clip[types == name] - clip[types == name].mean(0)
            for name in latent.CLIP_TYPES
        ]
    )
    planted = latent.correlation()
    for effect, spread, tolerance in (
        (interaction.reshape(-1, 10), latent.INTERACTION_SD, 0.02),
        (
            clip,
            latent.CLIP_SD,
            0.2,
        ),  # 400 draws: a standard error of .05, 45 correlations
        (participant, latent.PARTICIPANT_SD, 0.2),
    ):
        np.testing.assert_allclose(np.corrcoef(effect.T), planted, atol=tolerance)
        np.testing.assert_allclose(effect.std(0), spread, rtol=tolerance)


def test_ratings_are_spread_as_in_the_prototype(trials):
    share = np.mean(
        [[(rows.rating == answer).mean() for answer in range(1, 6)] for rows in trials],
        0,
    )
    np.testing.assert_allclose(share, [0.19, 0.29, 0.25, 0.19, 0.08], atol=0.02)


def test_ratings_and_labels_co_occur_as_in_the_prototype(trials):
    rating = np.mean([np.corrcoef(rows.rating.values.T) for rows in trials], 0)
    assert rating[SAME].mean() == pytest.approx(0.63, abs=0.04)
    assert rating[OPPOSITE].mean() == pytest.approx(
        -0.23, abs=0.06
    )  # cohorts differ by .05
    label = np.mean(
        [np.corrcoef(np.log(rows.distribution.values).T) for rows in trials], 0
    )
    assert label[SAME].mean() == pytest.approx(0.48, abs=0.04)
    assert label[OPPOSITE].mean() == pytest.approx(-0.56, abs=0.04)
    for (
        first,
        second,
    ) in latent.PAIRS:  # near-synonyms are the closest, in the labels too
        rows = label[latent.EMOTIONS.index(first)].copy()
        rows[latent.EMOTIONS.index(first)] = -1
        assert latent.EMOTIONS[rows.argmax()] == second


def test_trials_are_mixed_as_in_the_prototype(trials):
    def mixed(rows, least):
        rating = rows.rating.values
        return (
            (rating[:, :5].max(1) >= least) & (rating[:, 5:].max(1) >= least)
        ).mean()

    assert np.mean([mixed(rows, 3) for rows in trials]) == pytest.approx(0.58, abs=0.04)
    assert np.mean([mixed(rows, 4) for rows in trials]) == pytest.approx(0.18, abs=0.04)
    of_mixed_clips = [
        mixed(rows.isel(window=rows.condition.values == "mixed"), 3) for rows in trials
    ]
    assert np.mean(of_mixed_clips) > np.mean([mixed(rows, 3) for rows in trials]) + 0.1


# The Bayes limits


@pytest.mark.parametrize("epsilon", [None, 0.05])
@pytest.mark.parametrize("style_is_told", [True, False])
def test_bayes_agrees_with_counting(epsilon, style_is_told):
    """Against 400,000 simulated answers, drawn from the formula by other code."""
    random = np.random.default_rng(5)
    u = random.random((1, 1, 10))
    style = np.array([[0.4, -0.2]])
    draws = 400_000
    shift, stretch = (
        (0.4, -0.2)
        if style_is_told
        else random.normal(0, [0.3, 0.15], (draws, 2)).T[:, :, None]
    )
    felt = 1 + 4 * u[0]
    rating = np.clip(
        np.rint(
            felt + shift + stretch * (felt - 3) + random.normal(0, 0.5, (draws, 10))
        ),
        1,
        5,
    )
    share = rating if epsilon is None else rating - 1 + epsilon
    share = share / share.sum(1, keepdims=True)
    exact = simulated.bayes(u, style if style_is_told else None, epsilon)[0, 0]
    error = share.std(0) / np.sqrt(draws)
    assert (np.abs(exact - share.mean(0)) < 4.5 * error + 1e-5).all()


def test_style_quadrature_has_converged(monkeypatch):
    u = intensities(10, 10)
    coarse = {epsilon: simulated.bayes(u, None, epsilon) for epsilon in (None, 0.05)}
    monkeypatch.setattr(
        simulated, "hermegauss", lambda _: np.polynomial.hermite_e.hermegauss(21)
    )
    for epsilon, value in coarse.items():
        assert np.abs(value - simulated.bayes(u, None, epsilon)).max() < 2e-4


def test_bayes_is_the_limit(trials):
    """Below mean label and mean of the clip, and best among its neighbours."""
    scores = []
    for rows in trials:
        true = rows.distribution.values
        clips, index = np.unique(rows["clip"].values, return_inverse=True)
        total = np.stack(
            [true[index == number].sum(0) for number in range(len(clips))]
        )[index]
        others = (total - true) / (
            simulated.BENCHMARK["participants"] - 1
        )  # without the participant's own answer
        bayes, style = rows.truth_bayes.values, rows.truth_bayes_style.values
        scores.append(
            [kl(true, guess) for guess in (true.mean(0), others, bayes, style)]
        )
        assert (np.diff(scores[-1]) < 0).all()  # each knows more than the one before
        assert np.abs(true - bayes).max(1).mean() == pytest.approx(0.0388, abs=0.004)
    mean_label, clip_mean, bayes, style = np.mean(scores, 0)
    assert mean_label == pytest.approx(0.0816, abs=0.006)
    assert clip_mean == pytest.approx(
        0.0446, abs=0.004
    )  # the trap: no signal, and still hard to beat
    assert bayes == pytest.approx(0.0249, abs=0.001)
    assert style == pytest.approx(0.0230, abs=0.001)
    pooled = [
        np.concatenate([rows[name].values for rows in trials])
        for name in ("distribution", "truth_bayes")
    ]
    for sharpness in (0.9, 1.1):  # calibrated: neither sharper nor duller is better
        other = pooled[1] ** sharpness
        assert kl(*pooled) < kl(pooled[0], other / other.sum(1, keepdims=True))


# Features


def test_affect_explains_what_was_fixed():
    """The share of a window's variance within participants, from drive and noise.

    Many clips, because a cohort's 24 clips alone move the share by a tenth of itself.
    """
    order = orders(150, 200)
    driven = simulated.drive(intensities(150, 200, 11), 11)
    sigma = np.sqrt(1 / simulated.EXPLAINED - 1)[simulated.OF]
    total = driven + sigma * simulated.noise(order, 1, 11)[:, :, 0]
    share = (within(driven) ** 2).sum((0, 1)) / (within(total) ** 2).sum((0, 1))
    share = [
        share[simulated.OF == number].mean()
        for number in range(len(simulated.MODALITIES))
    ]
    np.testing.assert_allclose(share, simulated.EXPLAINED, rtol=0.1)


def test_affect_explains_the_features_of_benchmark_cohorts(cohorts):
    """The same from outside: squared correlation of features and drive, less gains."""
    shares = []
    for seed, cohort in zip(SEEDS, cohorts, strict=True):
        eta = cohort.truth_eta.values.reshape(40, 24, 6, 10)[
            :, :, 0
        ]  # in the order of presentation
        driven = simulated.drive(
            expit(eta), seed
        )  # loadings are of the participant, so the order is free
        squared = []
        for number, name in enumerate(simulated.MODALITIES):
            values = cohort[name].values.astype(float)
            values[cohort.truth_artefact.values[:, number] == 1] = np.nan
            values = values.reshape(40, 144, -1)
            expected = np.repeat(driven[..., simulated.OF == number], 6, 1)
            expected[np.isnan(values)] = np.nan
            x, z = (
                np.nan_to_num(array - np.nanmean(array, 1, keepdims=True))
                for array in (values, expected)
            )
            squared.append(
                (
                    (x * z).sum((0, 1)) ** 2 / ((x**2).sum((0, 1)) * (z**2).sum((0, 1)))
                ).mean()
            )
        shares.append(squared)
    lost = np.exp(-(simulated.GAIN_SD**2))
    np.testing.assert_allclose(
        np.mean(shares, 0), simulated.EXPLAINED * lost, rtol=0.15
    )


def test_responses_are_bent_where_they_should_be():
    """The drive has variance one unbent too; a body levels off, a face is one-sided."""
    scale = simulated._physiology()[-1]
    assert (
        (scale[~simulated.FACE] > 0.65) & (scale[~simulated.FACE] < 0.9)
    ).all()  # 2 tanh(z/2) of a normal z: .83
    driven = simulated.drive(intensities(100, 24, 1), 1)
    assert (driven[..., simulated.FACE] > 0).all()
    assert (np.abs(driven[..., ~simulated.FACE]) <= 2 / scale[~simulated.FACE]).all()
    assert (
        (within(driven[..., simulated.FACE]) ** 3).mean()
        > 0.5
        > np.abs((within(driven[..., ~simulated.FACE]) ** 3).mean())
    )


def test_people_differ_more_than_their_states(default):
    for name in contract.modalities(default):
        rows = [
            values.values for _, values in default[name].groupby(default.participant)
        ]
        between = np.var([np.nanmean(values, 0) for values in rows], axis=0).mean()
        inside = np.mean([np.nanvar(values, 0) for values in rows])
        assert (
            0.5 < between / (between + inside) < 0.8
        )  # an intraclass correlation near .69


def test_bodies_answer_in_the_textbook_direction():
    u = intensities(200, 24, 1)
    phi, driven = (
        within(array).reshape(-1, array.shape[-1])
        for array in (simulated.affect(u), simulated.drive(u, 1))
    )
    names = [name for modality in simulated.FEATURES.values() for name in modality]
    assert len(set(names)) == 94

    def together(feature, term, other=None):
        signal = driven[:, names.index(feature)] - (
            driven[:, names.index(other)] if other else 0
        )
        return np.corrcoef(signal, phi[:, simulated.TERMS.index(term)])[0, 1]

    for feature, term, sign in (
        ("heart rate", "arousal", 1),
        ("SCL", "arousal", 1),
        ("SCR count", "arousal", 1),
        ("RMSSD", "arousal", -1),
        ("Fz theta", "conflict", 1),
        ("AU06 mean", "valence", 1),
        ("AU12 mean", "valence", 1),
        ("AU01 mean", "distressed", 1),
        ("AU04 mean", "upset", 1),
        ("AU15 mean", "upset", 1),
        ("skin temperature", "arousal", -1),
        ("breathing rate", "arousal", 1),
    ):
        assert sign * together(feature, term) > 0.3, (feature, term)
    assert (
        together("F4 alpha", "valence", "F3 alpha") > 0.3
    )  # asymmetry: the left side is active in good mood


def test_noise_is_made_of_what_it_says():
    """Covariances by lag, in the order of presentation: state and decaying drift."""
    for windows in (1, 4):
        order = orders(100, 30)
        noise = np.take_along_axis(
            simulated.noise(order, windows, 2),
            np.argsort(order, 1)[:, :, None, None],
            1,
        )
        assert noise.mean() == pytest.approx(
            0, abs=0.02
        ) and noise.var() == pytest.approx(1, abs=0.02)
        assert (noise[:, 1:, 0] * noise[:, :-1, 0]).mean() == pytest.approx(
            0.2 * 0.6, abs=0.015
        )
        assert (noise[:, 2:, 0] * noise[:, :-2, 0]).mean() == pytest.approx(
            0.2 * 0.6**2, abs=0.015
        )
        if windows > 1:
            lagged = (noise[:, :, 3] * noise[:, :, 0]).mean()
            assert lagged == pytest.approx(0.4 + 0.2 * 0.6 ** (3 / 4), abs=0.02)
        assert (
            0.3 < kurtosis(noise.ravel()) < 1.5
        )  # .4^2 of the 6 of Student's t with 5 degrees of freedom is .96


def test_drift_does_not_start_from_rest():
    first = simulated.noise(np.zeros((800, 1), int), 4, 2)[:, 0, 0]
    assert first.var() == pytest.approx(1, abs=0.06)  # from rest it would be .85


def test_noise_is_shared_by_three_factors():
    noise = (
        simulated.noise(orders(100, 30), 8, 2).mean(2).reshape(-1, 94)
    )  # the window's own part averages out
    values = np.sort(np.linalg.eigvalsh(np.cov(noise.T)))[::-1]
    assert values[:3].sum() > 3 * values[3:6].sum()


def test_artefacts_hit_single_windows_and_losses_whole_trials(cohorts):
    artefact = np.concatenate([cohort.truth_artefact.values for cohort in cohorts])
    np.testing.assert_allclose(artefact.mean(0), simulated.ARTEFACT_RATE, atol=0.004)
    by_trial = artefact.reshape(-1, 6, 7)
    pairs = (by_trial[:, 0] * by_trial[:, 1]).mean()
    assert pairs == pytest.approx(
        simulated.ARTEFACT_RATE**2, abs=5e-4
    )  # independent of the window before
    missing = np.concatenate(
        [contract.missing(cohort).values for cohort in cohorts]
    ).reshape(-1, 6, 7)
    assert (missing.all(1) == missing.any(1)).all()
    np.testing.assert_allclose(missing.mean((0, 1)), simulated.LOSS_RATE, atol=0.01)
    for cohort in cohorts[:2]:
        for name in contract.modalities(cohort):  # all of a row or nothing
            assert (
                cohort[name].isnull().any(f"{name}_feature")
                == cohort[name].isnull().all(f"{name}_feature")
            ).all()


def test_artefacts_are_large():
    """About the participant's mean, struck windows have ten times the variance."""
    driven = simulated.drive(intensities(200, 20))
    values, artefact = simulated.features(driven, orders(200, 20), 3)
    spread = values - np.nanmean(values, (1, 2), keepdims=True)
    struck = artefact[..., simulated.OF]
    assert np.nanvar(spread[struck]) == pytest.approx(
        np.nanvar(spread[~struck]) + 9, rel=0.05
    )
