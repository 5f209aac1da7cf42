"""The walk of one sample that a page describes is the walk that it takes."""

import re
import sys
from pathlib import Path

import matplotlib
import pytest

import mpcl
from mpcl.data.wesad import load as wesad
from mpcl.evaluation.tables import intervals
from mpcl.figures.plots import canvas, score_intervals
from mpcl.provenance import ROOT
from mpcl.simulation.wesad_twin import write_twin
from mpcl.training.settings import Settings

matplotlib.use("Agg")
PACKAGE = str(Path(mpcl.__file__).parent)
PAGE = (ROOT / "book" / "walk.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\| (\d+) \| `(\w+)` \| `([\w/.]+)` \| `?(\w+)`? \|", re.M)
SHORT = {"baseline": 40, "stress": 30, "amusement": 30, "meditation": 30, "gap": 8}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """The calls of the functions that the page names: file, name, what it is within."""
    made = []
    names = {name for _, name, _, _ in STEP.findall(PAGE)}

    def spy(frame, event, argument):
        code = frame.f_code
        if event != "call" or code.co_name not in names:
            return
        if not code.co_filename.startswith(PACKAGE):
            return
        stack, outer = [], frame.f_back
        while outer:
            if outer.f_code.co_filename.startswith(PACKAGE):
                stack.append(outer.f_code.co_name)
            outer = outer.f_back
        file = Path(code.co_filename).relative_to(ROOT).as_posix()
        made.append((file, code.co_name, stack))

    root = write_twin(
        tmp_path_factory.mktemp("twin"), 3, seed=1, seconds=SHORT, chest=False
    )
    sys.setprofile(spy)
    try:
        dataset = mpcl.open_dataset("wesad", root, window=10, step=10, cache=False)
        settings = Settings(epochs=1)
        scored = mpcl.evaluate(dataset, "mpcl", settings=settings, device="cpu")
        with canvas() as (_, axes):
            score_intervals(axes, intervals(scored), "kl")
    finally:
        sys.setprofile(None)
    return made


def test_the_walk_is_the_one_that_the_page_describes(calls):
    steps = STEP.findall(PAGE)
    assert [int(number) for number, *_ in steps] == list(range(1, len(steps) + 1))
    assert 8 <= len(steps) <= 10
    before = -1
    for _, name, file, within in steps:
        places = [
            place
            for place, (where, what, stack) in enumerate(calls)
            if (where, what) == (file, name) and (within == "you" or within in stack)
        ]
        assert places, f"{name} in {file} is not called within {within}"
        assert any(place > before for place in places), f"{name} comes too early"
        before = min(place for place in places if place > before)


def test_the_page_names_rooms_and_files_that_are_there():
    named = set(re.findall(r"`((?:mpcl|book|data|tests)/[\w/.]+)`", PAGE))
    assert len(named) > 15
    assert not [name for name in named if not (ROOT / name).exists()]


def test_numbers_of_the_page(calls):
    """A wrist takes four samples a second, so that a window of 60 s has 240."""
    channel = wesad.CHANNELS["wrist_eda"]
    assert (channel.device, channel.key, channel.rate * 60) == ("wrist", "EDA", 240)
