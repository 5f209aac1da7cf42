import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mpcl.data.labels import distribution, impute, unanswered
from mpcl.errors import DatasetError, ParameterError

RATINGS = arrays(float, (3, 4), elements=st.integers(1, 5).map(float))


def ratings(values, participants=("S2", "S2", "S3")):
    coords = {
        "emotion": list("abcd")[: values.shape[1]],
        "participant": ("trial", list(participants)),
        "trial": [f"t{i}" for i in range(len(values))],
    }
    return xr.DataArray(values, dims=("trial", "emotion"), coords=coords)


@given(RATINGS, st.sampled_from([None, 0.05, 1.0]))
def test_shares_sum_to_one_and_keep_the_order_of_the_ratings(values, epsilon):
    share = distribution(ratings(values), epsilon=epsilon).values
    assert np.allclose(share.sum(1), 1, atol=1e-12) and (share > 0).all()
    higher = values[:, :, None] > values[:, None, :]
    assert (share[:, :, None] > share[:, None, :])[higher].all()


@given(RATINGS)
def test_sharp_labels_are_further_from_uniform(values):
    plain, sharp = (
        distribution(ratings(values)).values,
        distribution(ratings(values), epsilon=0.05).values,
    )
    assert (np.abs(sharp - 0.25).max(1) >= np.abs(plain - 0.25).max(1) - 1e-12).all()


def test_the_two_recipes_by_hand():
    values = ratings(np.array([[1.0, 2.0, 5.0]]), ["S2"])
    assert np.allclose(distribution(values).values, [[1 / 8, 2 / 8, 5 / 8]])
    assert np.allclose(
        distribution(values, epsilon=0.05).values, np.array([[0.05, 1.05, 4.05]]) / 5.15
    )


def test_missing_answers_are_named_not_guessed():
    values = np.ones((3, 4))
    values[2, 1] = np.nan
    assert unanswered(ratings(values)) == ["participant S3, trial t2, emotion b"]
    with pytest.raises(
        DatasetError, match="participant S3, trial t2, emotion b: not answered"
    ):
        distribution(ratings(values))


@pytest.mark.parametrize("answer", [0.0, 6.0, np.inf])
def test_answers_off_the_scale_are_named(answer):
    values = np.ones((3, 4))
    values[0, 3] = answer
    with pytest.raises(
        DatasetError,
        match="participant S2, trial t0, emotion d: .* off the scale 1 to 5",
    ):
        distribution(ratings(values))


def test_a_row_of_zeros_has_no_share():
    with pytest.raises(DatasetError, match="no share"):
        distribution(ratings(np.zeros((3, 4))), floor=0)
    with pytest.raises(ParameterError, match="epsilon must be positive"):
        distribution(ratings(np.ones((3, 4))), epsilon=0)


def test_imputation_takes_the_own_median_else_the_floor():
    values = np.array([[2.0, 4.0], [np.nan, 5.0], [np.nan, 1.0]])
    filled = impute(ratings(values), "participant_median").values
    assert filled.tolist() == [
        [2.0, 4.0],
        [2.0, 5.0],
        [1.0, 1.0],
    ]  # S2's other answer; S3 has none: the floor
    assert impute(ratings(values), "floor").values[1, 0] == 1
    with pytest.raises(ParameterError, match="unknown imputation 'guess'"):
        impute(ratings(values), "guess")


def rated(values):
    coords = {"trial": ["t1"], "emotion": ["happy", "sad"]}
    return xr.DataArray(np.array(values, object), coords, ("trial", "emotion"))


def test_answers_as_text_and_none_are_read_or_told():
    text = distribution(rated([["1", "3"]]))
    np.testing.assert_allclose(text, [[0.25, 0.75]])
    with pytest.raises(DatasetError, match="emotion sad: not answered"):
        distribution(rated([["1", None]]))
    with pytest.raises(
        DatasetError, match="emotion sad: the answer '2,5' is no number"
    ):
        distribution(rated([["1", "2,5"]]))


def test_answers_below_0_have_no_share_but_a_distance_from_the_floor():
    rating = rated([[-1, 3]]).astype(float)
    with pytest.raises(ParameterError, match="use epsilon"):
        distribution(rating, floor=-3, ceiling=3)
    share = distribution(rating, floor=-3, ceiling=3, epsilon=0.05)
    assert (share > 0).all()


@pytest.mark.parametrize(
    "options", [{"floor": 5, "ceiling": 1}, {"epsilon": "0.05"}, {"epsilon": 0}]
)
def test_scales_that_cannot_be_are_told(options):
    with pytest.raises(ParameterError):
        distribution(rated([[1, 3]]), **options)
