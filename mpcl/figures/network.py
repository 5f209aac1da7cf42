"""The map of the network, which each chapter shows with its part lit."""

from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from mpcl.errors import ParameterError
from mpcl.figures.plots import INK, PALE, canvas

CHAPTERS = {
    "memory": 4,
    "fusion": 5,
    "banks": 6,
    "relations": 7,
    "co-occurrence": 8,
    "compression": 9,
}
LIT = "#B34D00"  # darker than the colour of a curve: white can be read on it
MIDDLE, WIDE, HIGH = 5.05, 3.3, 0.62
ROWS = {  # from top to bottom, and what is recalled there
    "signals of two branches": (),
    "fusion": ("modalities", "moments"),
    "banks": ("prototypes",),
    "compression": ("emotions",),
    "co-occurrence": ("other emotions",),
    "mixture of emotions": (),
}


def network_map(lit: str | None = None) -> plt.Figure:
    """Which part hands what to which, and what each asks of the one memory.

    Args:
        lit: a part of ``CHAPTERS`` to show in colour, or None.
    """
    if lit is not None and lit not in CHAPTERS:
        raise ParameterError(f"lit must be one of {list(CHAPTERS)}, not {lit!r}")
    heights = {name: len(ROWS) - row for row, name in enumerate(ROWS)}
    with canvas(width=5.4, height=3.9) as (figure, axes):
        axes.set(xlim=(0, 10), ylim=(0.55, len(ROWS) + 0.45))
        axes.set_axis_off()
        for above, below in pairwise(heights.values()):
            _arrow(axes, (MIDDLE, above - HIGH / 2), (MIDDLE, below + HIGH / 2), INK)
        for name, height in heights.items():
            _box(axes, name, (MIDDLE, height), (WIDE, HIGH), lit)
            for place, answer in enumerate(ROWS[name]):
                at = height + 0.36 * (len(ROWS[name]) - 1) * (0.5 - place)
                color = LIT if lit in ("memory", name) else "#6A6A6A"
                _arrow(axes, (1.02, at), (MIDDLE - WIDE / 2, at), color)
                axes.text(
                    2.15, at + 0.04, answer, ha="center", va="bottom", color=color
                )
        _box(axes, "memory", (0.5, 3.5), (0.95, 4), lit)
        _box(axes, "relations", (8.78, heights["banks"]), (2.4, HIGH), lit)
        ends = (MIDDLE + WIDE / 2, heights["banks"]), (7.58, heights["banks"])
        _arrow(axes, *ends, INK, "<->")
        axes.text(
            8.78, heights["banks"] - 0.4, "in training only", ha="center", va="top"
        )
    return figure


def _box(
    axes: plt.Axes,
    name: str,
    middle: tuple[float, float],
    size: tuple[float, float],
    lit: str | None,
) -> None:
    """A part with its name and chapter; what is no part is bare text."""
    color = "white" if name == lit else INK
    label = f"{name} · {CHAPTERS[name]}" if name in CHAPTERS else name
    upright = size[1] > size[0]
    axes.text(
        *middle,
        label,
        ha="center",
        va="center",
        color=color,
        weight="bold" if name in CHAPTERS else "normal",
        rotation=90 if upright else 0,
        fontsize=11,
    )
    if name in CHAPTERS:
        corner = middle[0] - size[0] / 2, middle[1] - size[1] / 2
        look = {"facecolor": LIT if name == lit else "#F4F4F4", "edgecolor": PALE}
        style = "round,pad=0,rounding_size=0.12"
        axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, **look))


def _arrow(
    axes: plt.Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    style: str = "->",
) -> None:
    look = {"arrowstyle": style, "color": color, "linewidth": 1.4}
    axes.annotate("", end, start, arrowprops=look | {"shrinkA": 0, "shrinkB": 0})
