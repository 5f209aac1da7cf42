"""Figures show what they are given: what is drawn is read back from the axes."""

import ast
import inspect
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_hex

import mpcl
from mpcl.data.contract import missing
from mpcl.figures import plots as figures
from mpcl.figures.numbers import LARGEST, read_back

matplotlib.use("Agg")


@pytest.fixture
def axes():
    with figures.canvas() as (figure, axes):
        yield axes
    plt.close(figure)


def test_bars_are_the_shares_and_their_colour_the_valence(axes):
    figures.label_distribution(
        axes, [0.5, 0.3, 0.2], ["happy", "sad", "calm"], [1, -1, 0]
    )
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.3, 0.2]
    colours = [
        matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in axes.patches
    ]
    assert colours == [figures.VALENCE[1], figures.VALENCE[-1], figures.VALENCE[0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "happy",
        "sad",
        "calm",
    ]
    assert axes.yaxis_inverted()  # the first emotion on top


def test_a_recording_shows_each_window_once(axes, cohort):
    feature = str(cohort["eda_feature"].values[0])
    figures.recording(axes, cohort, "P02", "eda", feature)
    drawn = np.concatenate([line.get_ydata() for line in axes.lines])
    rows = cohort.isel(window=np.flatnonzero(cohort.participant.values == "P02"))
    np.testing.assert_allclose(np.sort(drawn), np.sort(rows["eda"].values[:, 0]))
    assert feature in axes.get_ylabel()


def test_presence_is_a_percentage(axes, cohort):
    figures.presence(axes, missing(cohort))
    np.testing.assert_allclose(
        [bar.get_width() for bar in axes.patches], missing(cohort).mean("window") * 100
    )


def test_learning_curves_show_the_mean_over_replicas(axes):
    log = xr.DataArray(
        [[[4.0], [2.0]], [[2.0], [0.0]]],
        dims=("replica", "epoch", "term"),
        coords={"epoch": [1, 2], "term": ["kl"]},
    )
    figures.learning_curve(axes, log, "kl")
    assert (
        axes.lines[0].get_ydata().tolist() == [3.0, 1.0]
        and axes.get_title(loc="left") == "kl"
    )


def test_scores_stand_at_their_means_with_their_intervals(axes):
    bounds = xr.DataArray(
        [[[0.3, 0.2, 0.4]], [[0.1, 0.05, 0.2]]],
        dims=("predictor", "metric", "bound"),
        coords={
            "predictor": ["mean_label", "mpcl"],
            "metric": ["kl"],
            "better": ("metric", ["lower"]),
            "bound": ["mean", "lower", "upper"],
        },
    )
    figures.score_intervals(axes, bounds, "kl")
    lines, dots = axes.collections
    assert [segment[:, 0].tolist() for segment in lines.get_segments()] == [
        [0.2, 0.4],
        [0.05, 0.2],
    ]
    assert (
        dots.get_offsets()[:, 0].tolist() == [0.3, 0.1]
        and "lower is better" in axes.get_xlabel()
    )


def test_participants_are_paired_and_ordered_by_the_floor(axes):
    frame = pd.DataFrame(
        {"mean_label": [0.3, 0.1], "mpcl": [0.2, 0.15]}, index=["P1", "P2"]
    )
    figures.participant_pairs(axes, frame, "mpcl", "mean_label", "kl")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["P2", "P1"]
    assert [dots.get_offsets()[:, 1].tolist() for dots in axes.collections[1:]] == [
        [0.1, 0.3],
        [0.15, 0.2],
    ]


def test_a_matrix_keeps_its_values_and_names(axes):
    figures.matrix(
        axes, np.array([[1.0, -0.5], [-0.5, 1.0]]), ["happy", "sad"], "correlation"
    )
    assert axes.collections[0].get_array().reshape(2, 2)[0, 1] == -0.5
    assert [label.get_text() for label in axes.get_xticklabels()] == ["happy", "sad"]


def test_the_idea_shades_the_trial_and_shows_its_label(cohort):
    trial = str(cohort.trial.values[3])
    rows = cohort.isel(window=np.flatnonzero(cohort.trial.values == trial))
    with figures.canvas(2, 1) as (figure, (above, below)):
        figures.idea(above, below, cohort, str(rows.participant.values[0]), trial)
    shade = (
        above.patches[0].get_bbox()
        if hasattr(above.patches[0], "get_bbox")
        else above.patches[0].get_extents()
    )
    np.testing.assert_allclose(
        [shade.x0, shade.x1], [rows.start.min() / 60, rows.stop.max() / 60]
    )
    np.testing.assert_allclose(
        [bar.get_width() for bar in below.patches], rows.distribution.values[0]
    )
    assert len(above.lines) == 3
    plt.close(figure)


def test_differences_are_in_colour_where_they_exclude_zero():
    values = [[[0.2, 0.1, 0.3]], [[0.1, -0.1, 0.3]], [[-0.2, -0.3, -0.1]]]
    bounds = xr.DataArray(
        values,
        dims=("predictor", "metric", "bound"),
        coords={
            "predictor": ["mpcl-no-memory", "ridge", "boosting"],
            "metric": ["kl"],
            "bound": ["mean", "lower", "upper"],
        },
    )
    with figures.canvas() as (figure, axes):
        figures.difference_intervals(axes, bounds, "kl")
    colors = [to_hex(color).upper() for color in axes.collections[0].get_colors()]
    assert colors == [figures.MODEL, figures.FLOOR, figures.MODEL]
    table = read_back(figure)
    assert table[table.kind == "point"][["y", "x"]].values.tolist() == [
        ["no-memory", 0.2],
        ["ridge", 0.1],
        ["boosting", -0.2],
    ]
    plt.close(figure)


def test_a_curve_of_learning_from_more_people_shows_its_intervals_and_its_limit():
    frame = pd.DataFrame(
        {"mean": [3.0, 2.0], "lower": [2.5, 1.5], "upper": [3.5, 2.5]}, index=[8, 32]
    )
    with figures.canvas() as (figure, axes):
        figures.learning_from(
            axes, {"mpcl": frame, "ridge": frame + 1}, limit=frame - 2
        )
    table = read_back(figure)
    lines = table[table.kind == "line"].groupby("series").y.apply(list).to_dict()
    assert lines == {"mpcl": [3, 2], "ridge": [4, 3], "best possible": [1, 0]}
    assert set(table[(table.kind == "band")].y) >= {3.5, 1.5, 2.5}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "32"]
    plt.close(figure)


@pytest.mark.parametrize("count", [0, 1, 7, 17])
@pytest.mark.parametrize("limited", [False, True])
def test_curves_of_learning_are_as_many_as_there_are(axes, count, limited):
    frame = pd.DataFrame({"mean": [3.0], "lower": [2.5], "upper": [3.5]}, index=[8])
    curves = {f"peer {n}": frame + n for n in range(count)}
    figures.learning_from(axes, curves, frame if limited else None)
    assert len(axes.lines) == count + limited
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == min(count, 15) + limited  # five colours, three kinds of line
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == [*curves, *(["best possible"] if limited else [])]
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == (["8"] if count or limited else [])


def test_no_figure_is_named_like_another_thing():
    """`participants` was a split, a list of names and a plot."""
    drawn = {
        name
        for name, value in vars(figures).items()
        if inspect.isfunction(value)
        and value.__module__ == figures.__name__
        and not name.startswith("_")
    }
    elsewhere = {
        node.name
        for path in Path(mpcl.__file__).parent.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and path != Path(figures.__file__)
    }
    assert len(drawn) == 11
    assert not drawn & elsewhere


def test_numbers_are_what_was_drawn():
    """Every kind of thing that the chapters draw, once."""
    with figures.canvas(1, 2) as (figure, (left, right)):
        figures.label_distribution(
            left, [0.7, 0.3], ["happy", "sad"], [1, -1], [0.6, 0.2], [0.8, 0.4]
        )
        right.plot([1, 2], [3.0, 5.0], label="kl")
        right.scatter([1], [4.0], c=[0.5])
        right.fill_between([1, 2], [0, 0], [1, 1])
        right.set_title("curves", loc="left")
    table = read_back(figure).set_index(["panel", "kind"]).sort_index(kind="stable")
    bars, ends = table.loc[(1, "bar")], table.loc[(1, "segment")]
    assert bars[["y", "to_x"]].values.tolist() == [["happy", 0.7], ["sad", 0.3]]
    assert ends[["x", "to_x"]].values.tolist() == [[0.6, 0.8], [0.2, 0.4]]
    line, point = table.loc[(2, "line")], table.loc[(2, "point")]
    assert line[["x", "y", "series", "title"]].values.tolist() == [
        [1, 3.0, "kl", "curves"],
        [2, 5.0, "kl", "curves"],
    ]
    assert point[["x", "y", "value"]].values.tolist() == [[1, 4.0, 0.5]]
    assert set(table.loc[(2, "band")].y) == {0, 1}
    plt.close(figure)


def test_numbers_of_a_map_are_its_cells_by_name():
    with figures.canvas() as (figure, axes):
        figures.matrix(
            axes, np.array([[1, 0.2], [0.3, 1]]), ["happy", "sad"], "correlation"
        )
    cells = read_back(figure)
    assert cells[["y", "x", "value"]].values.tolist() == [
        ["happy", "happy", 1.0],
        ["happy", "sad", 0.2],
        ["sad", "happy", 0.3],
        ["sad", "sad", 1.0],
    ]
    with figures.canvas() as (picture, axes):
        axes.imshow([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert read_back(picture)[["y", "x", "value"]].values.tolist() == [
        [0, 0, 1],
        [0, 1, 2],
        [1, 0, 3],
        [1, 1, 4],
        [2, 0, 5],
        [2, 1, 6],
    ]
    plt.close(picture)
    with figures.canvas(1, 2, sharey=True) as (shared, (left, right)):
        left.set_yticks([0, 1], ["happy", "sad"])
        right.barh([0, 1], [2.0, 3.0])
    assert read_back(shared).y.tolist() == ["happy", "sad"], (
        "the names stand at the other panel alone"
    )
    plt.close(shared)
    with figures.canvas() as (large, axes):
        axes.plot(range(LARGEST + 1))
    assert read_back(large).empty
    plt.close(figure)
    plt.close(large)


def test_a_name_with_dollars_is_drawn_as_it_stands_and_powers_as_powers():
    names = ["costs $5 or $6", "50 $ \\frac 60 $"]
    with figures.canvas(1, 2) as (figure, (left, right)):
        figures.matrix(left, np.eye(2), names, names[1])
        right.plot([1, 1e4], [1, 2], label=names[1])
        right.set(xscale="log", title=names[1])
        right.legend()
    figure.canvas.draw()  # mathematics that cannot be set would stop it here
    texts = [text for text in figure.findobj(plt.Text) if text.get_visible()]
    drawn = [text for text in texts if "$" in text.get_text()]
    assert {*names} <= {text.get_text() for text in drawn}
    for text in drawn:
        assert text.get_parse_math() == (text.get_text() not in names)
    plt.close(figure)


def test_an_interval_that_is_not_known_is_no_segment(axes):
    axes.hlines([0, 1], [0.1, np.nan], [0.3, np.nan])  # of two people; of one
    assert read_back(axes.figure)[["x", "y", "to_x"]].values.tolist() == [[0.1, 0, 0.3]]
