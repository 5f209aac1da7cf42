"""Ratings to emotion distributions.

A questionnaire asks how strongly each of C emotions was felt, on a scale from
``floor`` to ``ceiling``. MPCL, like its peers, learns the *label distribution* (Geng,
TKDE 2016): how one unit of feeling is shared out among the emotions. Ratings are
arrays with the dimension ``emotion``, NaN where an item was not answered.
"""

import numpy as np
import xarray as xr

from mpcl.errors import DatasetError, ParameterError

IMPUTATIONS = ("floor", "participant_median")


def distribution(
    rating: xr.DataArray,
    floor: float = 1,
    ceiling: float = 5,
    epsilon: float | None = None,
) -> xr.DataArray:
    """Share one unit of feeling out among the emotions in proportion to their ratings.

    ``d_c = r_c / sum_c r_c`` by default (as the DMER authors do: Yang et al., 2024);
    with ``epsilon`` the sharp variant ``d_c = (r_c - floor + epsilon) / sum``, where
    an emotion rated at the floor keeps next to nothing (*our reading*; never mixed
    with the other in one table).

    Raises:
        DatasetError: naming every item not answered or answered off the scale.

    Example:
        >>> coords = {"emotion": ["sad", "happy"]}
        >>> rating = xr.DataArray([1.0, 4.0], coords, dims="emotion")
        >>> distribution(rating).values
        array([0.2, 0.8])
        >>> distribution(rating, epsilon=0.05).values.round(3)
        array([0.016, 0.984])
    """
    if not floor < ceiling:
        raise ParameterError(f"a scale from {floor} to {ceiling} has no answers")
    is_number = isinstance(epsilon, int | float | np.number)
    if epsilon is not None and not (is_number and 0 < epsilon):
        raise ParameterError(f"epsilon must be positive, a number, not {epsilon!r}")
    if floor < 0 and epsilon is None:
        raise ParameterError(
            f"answers below 0 have no share of the whole on a scale from {floor:g}: "
            "use epsilon, which counts from the floor"
        )
    rating = numbers(rating)
    violations = [
        f"{place}: not answered; drop the trial or choose an imputation"
        for place in unanswered(rating)
    ]
    violations += [
        f"{place}: the answer {value:g} lies off the scale {floor:g} to {ceiling:g}"
        for place, value in _places(rating, (rating < floor) | (rating > ceiling))
    ]
    if violations:
        raise DatasetError(violations, "ratings")
    share = rating.astype(float) if epsilon is None else rating - floor + epsilon
    total = share.sum("emotion")
    if not (total > 0).all():
        raise DatasetError(
            "all ratings of a trial are 0, so they have no share; use epsilon",
            "ratings",
        )
    return share / total


def numbers(rating: xr.DataArray) -> xr.DataArray:
    """Ratings as floating-point numbers: text that is one, None and NaN for no answer.

    Raises:
        DatasetError: naming every answer that is no number.

    Example:
        >>> numbers(xr.DataArray(["2", None], dims="emotion")).values
        array([ 2., nan])
    """
    if rating.dtype.kind in "fiub":
        return rating.astype(float)
    values = np.full(rating.shape, np.nan)
    violations: list[str] = []
    for place in np.ndindex(rating.shape):
        answer = rating.values[place]
        try:
            values[place] = np.nan if answer is None else float(answer)
        except (TypeError, ValueError):
            violations.append(
                f"{_words(rating[place])}: the answer {answer!r} is no number "
                "(decimals have a point)"
            )
    if violations:
        raise DatasetError(violations, "ratings")
    return rating.copy(data=values)


def unanswered(rating: xr.DataArray) -> list[str]:
    """Items not answered, such as ``participant S5, trial S5-stress, emotion Sad``."""
    return [place for place, _ in _places(rating, rating.isnull())]


def impute(rating: xr.DataArray, how: str, floor: float = 1) -> xr.DataArray:
    """Fill in unanswered items, in the way that the caller chose.

    ``participant_median`` is the participant's median answer to that item in the other
    reports (the floor where there is none); it needs the coordinate ``participant``.

    Example:
        >>> participant = ("report", ["S2"] * 3)
        >>> coords = {"emotion": ["calm"], "participant": participant}
        >>> answers = [[2.0], [np.nan], [4.0]]
        >>> rating = xr.DataArray(answers, coords, dims=("report", "emotion"))
        >>> impute(rating, "participant_median").values.ravel()
        array([2., 3., 4.])
    """
    if how not in IMPUTATIONS:
        raise ParameterError(
            f"unknown imputation {how!r}; choose {' or '.join(IMPUTATIONS)}"
        )
    if how == "participant_median":
        rating = rating.groupby("participant").map(_fill_with_median)
    return rating.fillna(floor)


def _fill_with_median(rating: xr.DataArray) -> xr.DataArray:
    return rating.fillna(
        rating.median([dim for dim in rating.dims if dim != "emotion"])
    )


def _places(rating: xr.DataArray, where: xr.DataArray) -> list[tuple[str, float]]:
    """Coordinates in words, and value, of each place where ``where`` is true."""
    items = [rating[tuple(index)] for index in np.argwhere(where.values)]
    return [(_words(item), item.item()) for item in items]


def _words(item: xr.DataArray) -> str:
    """The coordinates of one answer in words."""
    names = ("participant", "trial", "condition", "emotion")
    return ", ".join(f"{n} {item[n].item()}" for n in names if n in item.coords)
