"""The second world keeps two moments of the first, and is fixed."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit

from mpcl.__main__ import load_cohorts, main, parser
from mpcl.data import contract
from mpcl.data.catalogue import open_dataset
from mpcl.errors import ParameterError
from mpcl.evaluation.predict import held_out
from mpcl.simulation import blends, latent
from mpcl.simulation import cohort as simulated

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "data" / "simulated-blends.nc"
REFERENCE = ROOT.parent / "shared" / "design" / "blends_recipe.py"
# The recipe's figures, committed before anything was trained in this world.
CENTRE = [
    -1.3678134745151,
    -1.6088353552445,
    -0.6700453384268,
    -1.1355357086441,
    -1.1160576389596,
    1.3862418083535,
    -0.6764714480661,
    0.1424970444529,
    1.0199543282120,
    0.0792789577831,
]
MEAN = [
    -0.3787609163505,
    -0.3743959981668,
    -0.3654478594759,
    -0.3750600963222,
    -0.3729099963032,
    -0.4635672795329,
    -0.4686886148879,
    -0.4688540374203,
    -0.4641528815683,
    -0.4640877095892,
]
PULLED_MEAN = [
    -0.6474689921048,
    -0.2451361889344,
    -0.4006519225249,
    -0.3950913935435,
    -0.2919417312498,
    -0.4039612137933,
    -0.4364621493460,
    -0.3496657910087,
    -0.5113780379923,
    -0.3155713165039,
]
DIAGONAL = [
    2.3039597733061,
    1.7286580291067,
    1.7857418232335,
    2.1789026675122,
    1.8144280031531,
    1.7324657212378,
    1.4702395586295,
    1.7344113226414,
    1.9283644623318,
    1.4850763678548,
]


@pytest.fixture(scope="module")
def default():
    return simulated.cohort(latent="blends")


@pytest.fixture(scope="module")
def crossed():
    """Both worlds of 400 people at 400 clips: eta, eta of blends, and which blend."""
    effects = latent.effects(400, 400, 5)
    return latent.log_odds(*effects), *blends.log_odds(*effects)


def columns(values):
    return values.reshape(-1, values.shape[-1])


def of_reference(population):
    """eta of a population in both worlds, as (row, emotion)."""
    gaussian, (eta, _) = latent.log_odds(*population), blends.log_odds(*population)
    return columns(gaussian), columns(eta)


def shares(eta):
    """Of the trace: what means of clips, and means of people, explain."""
    grand = eta.mean((0, 1))
    total = ((eta - grand) ** 2).sum(-1).mean()
    clip = ((eta.mean(0) - grand) ** 2).sum(-1).mean()
    person = ((eta.mean(1) - grand) ** 2).sum(-1).mean()
    return clip / total, person / total


def left_within(eta, blend):
    """The share of the trace that lies within blends."""
    recipe = blends.recipe()
    middle = (recipe.centres - recipe.pulled_mean) @ recipe.matrix.T + recipe.mean
    within = ((eta - middle[blend]) ** 2).sum(-1).mean()
    return within / ((eta - eta.mean((0, 1))) ** 2).sum(-1).mean()


def differs_within_people(gaussian, eta):
    """How far covariances within people lie apart, of the largest of them."""
    first, second = (
        np.cov(columns(values - values.mean(1, keepdims=True)).T)
        for values in (gaussian, eta)
    )
    return np.abs(first - second).max() / first.max()


# The recipe


def test_the_recipe_is_the_one_that_was_fixed():
    recipe = blends.recipe()
    for values, fixed in (
        (recipe.centres[3], CENTRE),
        (recipe.mean, MEAN),
        (recipe.pulled_mean, PULLED_MEAN),
        (np.diag(recipe.matrix), DIAGONAL),
    ):
        np.testing.assert_allclose(values, fixed, rtol=0, atol=1e-10)
    np.testing.assert_allclose(recipe.matrix, recipe.matrix.T, atol=1e-12)


@pytest.fixture(scope="module")
def page():
    """The design page, run up to its measurements, with today's names."""
    if not REFERENCE.is_file():
        pytest.skip("the design pages are not here")
    source = REFERENCE.read_text(encoding="utf-8").split("# shares by clip")[0]
    names = {}
    moved = "from mpcl.simulation import latent as S"
    exec(source.replace("from mpcl.data import simulated as S", moved), names)
    return names


@pytest.mark.slow
def test_the_recipe_is_that_of_the_design_page(page):
    recipe = blends.recipe()
    for ours, theirs in (
        (recipe.centres, page["centres"]),
        (recipe.mean, page["m"]),
        (recipe.pulled_mean, page["mz"]),
        (recipe.matrix, page["A"]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_a_crossed_world_is_that_of_the_design_page(page):
    gaussian, x, clip, person = page["world"](400, 400, 5)
    pulled, number = page["blend"](x)
    interaction = gaussian - latent.BASE - clip - person
    eta, blend = blends.log_odds(clip[0], person[:, 0], interaction)
    np.testing.assert_array_equal(blend, number)
    np.testing.assert_allclose(eta, page["B"](pulled), rtol=0, atol=1e-10)
    assert np.round(shares(gaussian), 3).tolist() == [0.663, 0.117]
    assert np.round(shares(eta), 3).tolist() == [0.679, 0.096]
    assert round(left_within(eta, blend), 3) == 0.084
    assert 0.03 < differs_within_people(gaussian, eta) < 0.0505


def test_mean_and_covariance_are_those_of_the_gaussian_world():
    gaussian, eta = of_reference(
        blends.population(blends.REFERENCE_SEED, *blends.REFERENCE)
    )
    np.testing.assert_allclose(eta.mean(0), gaussian.mean(0), rtol=0, atol=1e-13)
    np.testing.assert_allclose(np.cov(eta.T), np.cov(gaussian.T), rtol=0, atol=5e-13)


def test_clips_and_people_explain_what_they_explain_in_the_gaussian_world(crossed):
    gaussian, eta, _ = crossed
    np.testing.assert_allclose(shares(eta), shares(gaussian), atol=0.025)


def test_covariance_within_people_is_nearly_that_of_the_gaussian_world():
    """Of 400 clips that all see it differs by .04 to .09 of its largest entry."""
    population = blends.population(blends.REFERENCE_SEED, *blends.REFERENCE)
    gaussian, (eta, _) = latent.log_odds(*population), blends.log_odds(*population)
    assert differs_within_people(gaussian, eta) == pytest.approx(0.032, abs=0.001)


def test_little_is_left_within_a_blend(crossed):
    _, eta, blend = crossed
    assert left_within(eta, blend) == pytest.approx(0.084, abs=0.005)


def test_every_blend_is_felt_and_none_by_most():
    effects = blends.population(blends.REFERENCE_SEED, *blends.REFERENCE)
    _, blend = blends.log_odds(*effects)
    felt = np.bincount(blend.ravel(), minlength=blends.CENTRES) / blend.size
    assert felt.min() > 0.004 and felt.max() < 0.12
    # the state is far from Gaussian: the third and fourth moments tell
    _, eta = of_reference(effects)
    assert np.abs(((eta - eta.mean(0)) / eta.std(0)) ** 4).mean() < 2.7


def test_more_people_and_clips_leave_the_others_alone():
    few, many = latent.effects(3, 4, 7), latent.effects(6, 9, 7)
    np.testing.assert_allclose(
        blends.log_odds(*many)[0][:3, :4], blends.log_odds(*few)[0], rtol=1e-12
    )


# The data set


def test_committed_file_is_what_the_code_makes(default):
    committed = contract.read(COMMITTED)
    assert COMMITTED.stat().st_size < 2_000_000
    xr.testing.assert_allclose(committed, default, rtol=1e-6, atol=1e-6)
    assert committed.attrs == default.attrs
    for name in committed.variables:
        assert committed[name].attrs == default[name].attrs
        assert committed[name].dtype == default[name].dtype
        if committed[name].dtype.kind not in "f" or name in ("rating", "distribution"):
            np.testing.assert_array_equal(committed[name], default[name])


def test_only_what_is_felt_differs_between_the_worlds(default):
    """The same people, clips, scale use, order, artefacts and losses."""
    gaussian = simulated.cohort()
    for name in gaussian.coords:
        xr.testing.assert_equal(gaussian[name].variable, default[name].variable)
    for name in ("clip_effect", "participant_effect", "style", "artefact"):
        xr.testing.assert_equal(gaussian[f"truth_{name}"], default[f"truth_{name}"])
    xr.testing.assert_equal(contract.missing(gaussian), contract.missing(default))
    for name in ("truth_eta", "rating", "distribution", "face"):
        assert not np.array_equal(gaussian[name], default[name])
    assert "truth_blend" not in gaussian
    assert default.attrs["dataset"] == "simulated-blends"


def test_truth_is_true(default):
    eta, blend = blends.log_odds(*latent.effects(24, 16))
    number = default["clip"].str.slice(1).astype(int).values - 1
    who = default.participant.str.slice(1).astype(int).values - 1
    np.testing.assert_array_equal(default.truth_blend, blend[who, number])
    np.testing.assert_allclose(default.truth_eta, eta[who, number])
    np.testing.assert_allclose(default.truth_intensity, expit(default.truth_eta))
    recomputed = simulated.bayes(expit(eta))[who, number]
    np.testing.assert_allclose(default.truth_bayes, recomputed)


def test_bayes_is_the_limit_here_too(default):
    true = default.distribution.values

    def kl(guess):
        return (true * np.log(true / guess)).sum(1).mean()

    guesses = (true.mean(0), default.truth_bayes, default.truth_bayes_style)
    scores = [kl(np.asarray(guess)) for guess in guesses]
    assert scores[0] > 2 * scores[1] > 2 * scores[2]


def test_the_realised_share_of_a_window_is_near_the_planned(default):
    driven = simulated.drive(expit(blends.log_odds(*latent.effects(150, 200))[0]))
    np.testing.assert_allclose(
        simulated.explained(driven), simulated.EXPLAINED, rtol=0.15
    )
    for name in simulated.MODALITIES:
        attrs = default[name].attrs
        assert attrs["explained_variance_realised"] == pytest.approx(
            attrs["explained_variance"], rel=0.4
        )


def test_an_unknown_world_is_refused():
    with pytest.raises(ParameterError, match="gaussian or blends, not 'wishes'"):
        simulated.cohort(2, 2, 1, latent="wishes")


def test_the_catalogue_opens_it(default):
    xr.testing.assert_identical(
        open_dataset("simulated-blends"), contract.read(COMMITTED)
    )
    xr.testing.assert_identical(
        open_dataset("simulated-blends", participants=2, clips=3, windows=2, seed=4),
        simulated.cohort(2, 3, 2, 4, latent="blends"),
    )
    with pytest.raises(ParameterError, match="unknown option 'latent'"):
        open_dataset("simulated-blends", latent="gaussian")


def test_the_command_line_names_the_world(tmp_path, monkeypatch, capsys):
    small = {"participants": 2, "clips": 3, "windows": 1}
    monkeypatch.setattr("mpcl.simulation.cohort.BENCHMARK", small)
    words = ["evaluate", "--out", str(tmp_path / "r.nc")]
    for world in simulated.WORLDS:
        options = parser().parse_args([*words, "--cohorts", "2", "--world", world])
        cohorts = load_cohorts(options)
        for seed, cohort in enumerate(cohorts, 1):
            expected = simulated.cohort(**small, seed=seed, latent=world)
            xr.testing.assert_identical(cohort, expected)
    assert main([*words, "--cohorts", "2", "--world", "wishes"]) == 2
    assert main([*words, "--world", "blends"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert "gaussian or blends, not 'wishes'" in errors[0]
    assert "say how many with --cohorts" in errors[1]
    assert not list(tmp_path.iterdir())


# What a predictor sees


class Nosy:
    """Keeps the names of all that it is given."""

    seen = set()

    def fit(self, training):
        self.seen.update(training.variables)
        self.mean = training.distribution.values.mean(0)
        return self

    def predict(self, test):
        self.seen.update(test.variables)
        return np.tile(self.mean, (test.sizes["window"], 1))


def test_no_predictor_is_given_the_blend():
    small = simulated.cohort(5, 4, 2, latent="blends")
    assert "truth_blend" in small
    held_out(small, Nosy())
    assert Nosy.seen and not [name for name in Nosy.seen if "truth" in str(name)]
