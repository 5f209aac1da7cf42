"""The map of the network names every part once, and lights the one asked for."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex

from mpcl.errors import ParameterError
from mpcl.figures.network import CHAPTERS, LIT, network_map


@pytest.mark.parametrize("lit", [None, *CHAPTERS])
def test_the_part_that_is_asked_for_is_lit_and_no_other(lit):
    figure = network_map(lit)
    names = [text.get_text() for text in figure.axes[0].texts]
    for name, chapter in CHAPTERS.items():
        assert names.count(f"{name} · {chapter}") == 1
    colors = [to_hex(box.get_facecolor()).upper() for box in figure.axes[0].patches]
    assert len([color for color in colors if color == LIT]) == (lit is not None)
    plt.close(figure)


def test_another_part_is_refused():
    with pytest.raises(ParameterError, match="fusion"):
        network_map("attention")
