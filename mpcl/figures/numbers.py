"""The numbers that a figure shows, read back from what was drawn."""

import sys
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import axis, collections, image
from matplotlib.category import StrCategoryLocator
from matplotlib.ticker import FixedLocator, ScalarFormatter

LARGEST = 1000  # numbers of one thing drawn, above which only the picture is kept
COLUMNS = ("panel", "title", "kind", "series", "x", "y", "value", "to_x", "to_y")
Drawn = tuple[str, dict[str, np.ndarray]]  # the kind, and its columns


def read_back(figure: plt.Figure) -> pd.DataFrame:
    """What a figure shows: one row a point, bar, line segment or cell of a map.

    The columns: ``panel`` (its number), ``title`` (or the labels of its axes), ``kind``
    (``line``, ``point``, ``bar``, ``segment``, ``band`` or ``map``), ``series`` (its
    name in the legend), ``x``, ``y`` (names where the axis has names), ``value``
    (colour of a point, cell of a map) and ``to_x``, ``to_y`` (the other end of a
    segment or bar). What has more than ``LARGEST`` numbers is left out.

    Example:
        >>> figure, axes = plt.subplots()
        >>> _ = axes.bar(["a", "b"], [1.0, 2.0])
        >>> read_back(figure)[["x", "to_y"]].values.tolist()
        [['a', 1.0], ['b', 2.0]]
        >>> plt.close(figure)
    """
    frames: list[pd.DataFrame] = []
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    for number, axes in enumerate(panels, 1):
        for artist in (*axes.lines, *axes.patches, *axes.images, *axes.collections):
            series = str(artist.get_label())
            for kind, columns in drawn(artist, axes):
                frames.append(
                    pd.DataFrame(columns).assign(
                        x=_named(columns["x"], axes.xaxis),
                        y=_named(columns["y"], axes.yaxis),
                        panel=number,
                        title=_title(axes),
                        kind=kind,
                        series="" if series.startswith("_") else series,
                    )
                )
    frames = [frame for frame in frames if len(frame) <= LARGEST]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return table[[name for name in COLUMNS if name in table]]


def drawn(artist: plt.Artist, axes: plt.Axes) -> Iterator[Drawn]:
    """The numbers of one thing that was drawn; none for what only guides the eye."""
    in_data = artist.get_transform().contains_branch(axes.transData)
    match artist:
        case plt.Line2D() if in_data and len(np.asarray(artist.get_xdata())):
            yield (
                "line",
                {
                    "x": np.asarray(artist.get_xdata()),
                    "y": np.asarray(artist.get_ydata()),
                },
            )
        case plt.Rectangle() if in_data:
            yield "bar", _ends(artist, axes)
        case image.AxesImage() if np.ma.asarray(artist.get_array()).ndim == 2:
            yield "map", _pixels(artist)
        case collections.PathCollection():
            x, y = np.asarray(artist.get_offsets()).T
            values = artist.get_array()
            colors = {} if values is None else {"value": np.ravel(values)}
            yield "point", {"x": x, "y": y, **colors}
        case collections.LineCollection():
            drawn_of = artist.get_segments()  # nothing of one whose end is NaN
            pairs = [segment[[0, -1]] for segment in drawn_of if len(segment)]
            ends = np.array(pairs).reshape(-1, 4).T  # (end, segment)
            yield "segment", dict(zip(("x", "y", "to_x", "to_y"), ends, strict=True))
        case collections.QuadMesh():
            corners = np.asarray(artist.get_coordinates())
            middle = (corners[:-1, :-1] + corners[1:, 1:]) / 2  # (row, column, 2)
            yield "map", _cells(middle[..., 0], middle[..., 1], artist.get_array())
        case collections.PolyCollection():
            for path in artist.get_paths():
                x, y = np.asarray(path.vertices).T
                yield "band", {"x": x, "y": y}


def keep_numbers() -> None:
    """In a notebook: a shown figure carries its numbers, as CSV, beside the picture."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell:
        formatter = shell.display_formatter.mimebundle_formatter
        formatter.for_type(plt.Figure, _as_csv)


def _as_csv(figure: plt.Figure, **_: object) -> dict[str, str]:
    shown = read_back(figure)
    numbers = shown.select_dtypes("number").columns
    shown[numbers] += 0.0  # of -0.0 it makes 0.0
    return {"text/csv": shown.to_csv(index=False, float_format="%.5g")}


def _ends(bar: plt.Rectangle, axes: plt.Axes) -> dict[str, np.ndarray]:
    """Foot and end of a bar, which lies along the axis that has no names."""
    x, y, width, height = bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()
    if _names(axes.yaxis) or axes.yaxis.get_inverted():
        ends = {"x": x, "y": y + height / 2, "to_x": x + width}
    else:
        ends = {"x": x + width / 2, "y": y, "to_y": y + height}
    return {name: np.array([value]) for name, value in ends.items()}


def _pixels(picture: image.AxesImage) -> dict[str, np.ndarray]:
    """The middle and the value of each pixel, row by row from the top."""
    values = np.ma.asarray(picture.get_array())
    left, right, bottom, top = picture.get_extent()
    row, column = np.indices(values.shape) + 0.5
    x = left + column * (right - left) / values.shape[1]
    y = top + row * (bottom - top) / values.shape[0]
    return _cells(x, y, values)


def _cells(
    x: np.ndarray, y: np.ndarray, values: np.ndarray | None
) -> dict[str, np.ndarray]:
    filled = np.ma.filled(np.ma.asarray(values).astype(float), np.nan)
    return {"x": x.ravel(), "y": y.ravel(), "value": filled.ravel()}


def _title(axes: plt.Axes) -> str:
    title = axes.get_title(loc="left") or axes.get_title(loc="center")
    labels = [label for label in (axes.get_ylabel(), axes.get_xlabel()) if label]
    return (title or " against ".join(labels)).replace("\n", " ")


def _names(of: axis.Axis) -> dict[float, str]:
    """Where an axis has names instead of numbers: names by their places."""
    formatter = of.get_major_formatter()
    named = isinstance(of.get_major_locator(), FixedLocator | StrCategoryLocator)
    if not named or isinstance(formatter, ScalarFormatter):
        return {}
    places = of.get_ticklocs()  # labels may be hidden, where panels share an axis
    names = formatter.format_ticks(list(places))
    return dict(zip(np.round(places, 6).tolist(), names, strict=True))


def _named(values: np.ndarray, of: axis.Axis) -> np.ndarray:
    """Places on an axis, by name where all of them have one."""
    names = _names(of)
    named = [names.get(round(float(value), 6), "") for value in values]
    return np.array(named) if names and all(named) else values
