"""Ratings to emotion distributions.

A questionnaire asks how strongly each of C emotions was felt, on a scale from ``floor`` to
``ceiling``. MPCL, like its peers, learns the *label distribution* (Geng, TKDE 2016): how one
unit of feeling is shared out among the emotions.
"""

import numpy as np

from mpcl.data.contract import DatasetError

IMPUTATIONS = ("floor", "participant_median")


def distribution(rating, floor=1, ceiling=5, epsilon=None):
    """Share one unit of feeling out among the emotions in proportion to their ratings.

    ``d_c = r_c / sum_c r_c`` by default (as the DMER authors do: Yang et al., 2024); with
    ``epsilon`` the sharp variant ``d_c = (r_c - floor + epsilon) / sum``, where an emotion
    rated at the floor keeps next to nothing (*our reading*; never mixed with the other
    in one table).

    Args:
        rating: :class:`xarray.DataArray` with the dimension ``emotion``.
        floor: lowest answer of the scale.
        ceiling: highest answer of the scale.
        epsilon: None, or the positive share left to an emotion rated at the floor.

    Returns:
        :class:`xarray.DataArray` of the same shape that sums to one over ``emotion``.

    Raises:
        DatasetError: for an unanswered item or an answer off the scale, named by its coordinates.

    Example:
        >>> import xarray as xr
        >>> rating = xr.DataArray([[1.0, 4.0]], dims=("trial", "emotion"), coords={"emotion": ["sad", "happy"]})
        >>> distribution(rating).values, distribution(rating, epsilon=0.05).values.round(3)
        (array([[0.2, 0.8]]), array([[0.016, 0.984]]))
    """
    found = [f"{place}: not answered; drop the trial or choose an imputation" for place in unanswered(rating)]
    found += [
        f"{place}: the answer {value:g} lies off the scale {floor:g} to {ceiling:g}"
        for place, value in _named(rating, (rating < floor) | (rating > ceiling))
    ]
    if epsilon is not None and not epsilon > 0:
        found.append(f"epsilon must be positive, not {epsilon}")
    if found:
        raise DatasetError(found, "ratings")
    share = rating.astype(float) if epsilon is None else rating - floor + epsilon
    total = share.sum("emotion")
    if not bool((total > 0).all()):
        raise DatasetError("all ratings of a trial are 0, so they have no share; use epsilon", "ratings")
    return share / total


def unanswered(rating):
    """Name every item that was not answered (NaN).

    Args:
        rating: :class:`xarray.DataArray` with the dimension ``emotion``.

    Returns:
        list of str, such as ``participant S5, condition meditation1, emotion Nervous``.
    """
    return [place for place, _ in _named(rating, rating.isnull())]


def impute(rating, how, floor=1):
    """Fill in unanswered items, in the way that the caller chose.

    Args:
        rating: :class:`xarray.DataArray` (..., emotion), the coordinate or dimension ``participant`` in it.
        how: ``floor``, or ``participant_median``: the participant's median answer to that item
            in the other reports (the floor where there is none).
        floor: lowest answer of the scale.

    Returns:
        :class:`xarray.DataArray` without NaN.

    Raises:
        DatasetError: for an unknown ``how``.

    Example:
        >>> import xarray as xr
        >>> rating = xr.DataArray([[2.0], [np.nan], [4.0]], dims=("report", "emotion"),
        ...                       coords={"emotion": ["calm"], "participant": ("report", ["S2"] * 3)})
        >>> impute(rating, "participant_median").values.ravel()
        array([2., 3., 4.])
    """
    if how not in IMPUTATIONS:
        raise DatasetError(f"unknown imputation {how!r}; choose {' or '.join(IMPUTATIONS)}")
    if how == "participant_median":
        groups = rating.groupby("participant")
        rating = groups.map(lambda own: own.fillna(own.median([d for d in own.dims if d != "emotion"])))
    return rating.fillna(floor)


def _named(rating, where):
    """Yield (coordinates in words, value) for each place where ``where`` is true."""
    for index in np.argwhere(where.values):
        item = rating[tuple(index)]
        names = [name for name in ("participant", "trial", "condition", "emotion") if name in item.coords]
        yield ", ".join(f"{name} {item[name].item()}" for name in names), item.item()
