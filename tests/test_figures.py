"""Figures show what they are given: what is drawn is read back from the axes."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from mpcl import figures
from mpcl.data.contract import missing

matplotlib.use("Agg")


@pytest.fixture
def axes():
    with figures.canvas() as (figure, axes):
        yield axes
    plt.close(figure)


def test_bars_are_the_shares_and_their_colour_the_valence(axes):
    figures.label_distribution(axes, [0.5, 0.3, 0.2], ["happy", "sad", "calm"], [1, -1, 0])
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.3, 0.2]
    colours = [matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in axes.patches]
    assert colours == [figures.VALENCE[1], figures.VALENCE[-1], figures.VALENCE[0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["happy", "sad", "calm"]
    assert axes.yaxis_inverted()  # the first emotion on top


def test_a_recording_shows_each_window_once(axes, cohort):
    feature = str(cohort["eda_feature"].values[0])
    figures.recording(axes, cohort, "P02", "eda", feature)
    drawn = np.concatenate([line.get_ydata() for line in axes.lines])
    own = cohort.isel(window=np.flatnonzero(cohort.participant.values == "P02"))
    np.testing.assert_allclose(np.sort(drawn), np.sort(own["eda"].values[:, 0]))
    assert feature in axes.get_ylabel()


def test_presence_is_a_percentage(axes, cohort):
    figures.presence(axes, missing(cohort))
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], missing(cohort).mean("window") * 100)


def test_learning_curves_show_the_mean_over_replicas(axes):
    log = xr.DataArray([[[4.0], [2.0]], [[2.0], [0.0]]], dims=("replica", "epoch", "term"),
                       coords={"epoch": [1, 2], "term": ["kl"]})
    figures.learning_curve(axes, log, "kl")
    assert axes.lines[0].get_ydata().tolist() == [3.0, 1.0] and axes.get_title(loc="left") == "kl"


def test_scores_stand_at_their_means_with_their_intervals(axes):
    bounds = xr.DataArray([[[0.3, 0.2, 0.4]], [[0.1, 0.05, 0.2]]], dims=("method", "metric", "bound"),
                          coords={"method": ["mean_label", "mpcl"], "metric": ["kl"], "better": ("metric", ["lower"]),
                                  "bound": ["mean", "lower", "upper"]})
    figures.scores(axes, bounds, "kl")
    lines, dots = axes.collections
    assert [segment[:, 0].tolist() for segment in lines.get_segments()] == [[0.2, 0.4], [0.05, 0.2]]
    assert dots.get_offsets()[:, 0].tolist() == [0.3, 0.1] and "lower is better" in axes.get_xlabel()


def test_participants_are_paired_and_ordered_by_the_floor(axes):
    frame = pd.DataFrame({"mean_label": [0.3, 0.1], "mpcl": [0.2, 0.15]}, index=["P1", "P2"])
    figures.participants(axes, frame, "mpcl", "mean_label", "kl")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["P2", "P1"]
    assert [dots.get_offsets()[:, 1].tolist() for dots in axes.collections[1:]] == [[0.1, 0.3], [0.15, 0.2]]


def test_a_matrix_keeps_its_values_and_names(axes):
    figures.matrix(axes, np.array([[1.0, -0.5], [-0.5, 1.0]]), ["happy", "sad"], "correlation")
    assert axes.collections[0].get_array().reshape(2, 2)[0, 1] == -0.5
    assert [label.get_text() for label in axes.get_xticklabels()] == ["happy", "sad"]


def test_the_idea_shades_the_trial_and_shows_its_label(cohort):
    trial = str(cohort.trial.values[3])
    own = cohort.isel(window=np.flatnonzero(cohort.trial.values == trial))
    with figures.canvas(2, 1) as (figure, (above, below)):
        figures.idea(above, below, cohort, str(own.participant.values[0]), trial)
    shade = above.patches[0].get_bbox() if hasattr(above.patches[0], "get_bbox") else above.patches[0].get_extents()
    np.testing.assert_allclose([shade.x0, shade.x1], [own.start.min() / 60, own.stop.max() / 60])
    np.testing.assert_allclose([bar.get_width() for bar in below.patches], own.distribution.values[0])
    assert len(above.lines) == 3
    plt.close(figure)


def test_differences_are_in_colour_where_they_exclude_zero():
    values = [[[0.2, 0.1, 0.3]], [[0.1, -0.1, 0.3]], [[-0.2, -0.3, -0.1]]]
    bounds = xr.DataArray(values, dims=("method", "metric", "bound"), coords={
        "method": ["mpcl-no-memory", "ridge", "boosting"], "metric": ["kl"], "bound": ["mean", "lower", "upper"]})
    with figures.canvas() as (figure, axes):
        figures.differences(axes, bounds, "kl")
    colors = [to_hex(color).upper() for color in axes.collections[0].get_colors()]
    assert colors == [figures.MODEL, figures.FLOOR, figures.MODEL]
    table = figures.numbers(figure)
    assert table[table.kind == "point"][["y", "x"]].values.tolist() == [
        ["no-memory", 0.2], ["ridge", 0.1], ["boosting", -0.2]]
    plt.close(figure)


def test_a_curve_of_learning_from_more_people_shows_its_intervals_and_its_limit():
    frame = pd.DataFrame({"mean": [3.0, 2.0], "lower": [2.5, 1.5], "upper": [3.5, 2.5]}, index=[8, 32])
    with figures.canvas() as (figure, axes):
        figures.learning_from(axes, {"mpcl": frame, "ridge": frame + 1}, limit=frame - 2)
    table = figures.numbers(figure)
    lines = table[table.kind == "line"].groupby("series").y.apply(list).to_dict()
    assert lines == {"mpcl": [3, 2], "ridge": [4, 3], "best possible": [1, 0]}
    assert set(table[(table.kind == "band")].y) >= {3.5, 1.5, 2.5}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "32"]
    plt.close(figure)


def test_numbers_are_what_was_drawn():
    """Every kind of thing that the chapters draw, once; what is larger than a table may be stays a picture."""
    with figures.canvas(1, 2) as (figure, (left, right)):
        figures.label_distribution(left, [0.7, 0.3], ["happy", "sad"], [1, -1], [0.6, 0.2], [0.8, 0.4])
        right.plot([1, 2], [3.0, 5.0], label="kl")
        right.scatter([1], [4.0], c=[0.5])
        right.fill_between([1, 2], [0, 0], [1, 1])
        right.set_title("curves", loc="left")
    found = figures.numbers(figure).set_index(["panel", "kind"]).sort_index(kind="stable")
    bars, ends = found.loc[(1, "bar")], found.loc[(1, "segment")]
    assert bars[["y", "to_x"]].values.tolist() == [["happy", 0.7], ["sad", 0.3]]
    assert ends[["x", "to_x"]].values.tolist() == [[0.6, 0.8], [0.2, 0.4]]
    line, point = found.loc[(2, "line")], found.loc[(2, "point")]
    assert line[["x", "y", "series", "title"]].values.tolist() == [[1, 3.0, "kl", "curves"], [2, 5.0, "kl", "curves"]]
    assert point[["x", "y", "value"]].values.tolist() == [[1, 4.0, 0.5]]
    assert set(found.loc[(2, "band")].y) == {0, 1}
    plt.close(figure)


def test_numbers_of_a_map_are_its_cells_by_name():
    with figures.canvas() as (figure, axes):
        figures.matrix(axes, np.array([[1, 0.2], [0.3, 1]]), ["happy", "sad"], "correlation")
    cells = figures.numbers(figure)
    assert cells[["y", "x", "value"]].values.tolist() == [
        ["happy", "happy", 1.0], ["happy", "sad", 0.2], ["sad", "happy", 0.3], ["sad", "sad", 1.0]]
    with figures.canvas() as (picture, axes):
        axes.imshow([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert figures.numbers(picture)[["y", "x", "value"]].values.tolist() == [
        [0, 0, 1], [0, 1, 2], [1, 0, 3], [1, 1, 4], [2, 0, 5], [2, 1, 6]]
    plt.close(picture)
    with figures.canvas(1, 2, sharey=True) as (shared, (left, right)):
        left.set_yticks([0, 1], ["happy", "sad"])
        right.barh([0, 1], [2.0, 3.0])
    assert figures.numbers(shared).y.tolist() == ["happy", "sad"], "the names stand at the other panel alone"
    plt.close(shared)
    with figures.canvas() as (large, axes):
        axes.plot(range(figures.LARGEST + 1))
    assert figures.numbers(large).empty
    plt.close(figure)
    plt.close(large)
