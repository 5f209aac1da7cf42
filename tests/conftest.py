"""What all tests share: one thread, one browser, how nbval compares the notebooks."""

import os
import shutil

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYTHONHASHSEED", "0")
# kernels inherit it, and figures must go into the notebook
os.environ.pop("MPLBACKEND", None)
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")

# a busy machine is no failure
hypothesis.settings.register_profile("book", deadline=None)
hypothesis.settings.load_profile("book")

# drawings are compared by their text/plain, as image/png is
UNCOMPARED = ("stderr", "image/svg+xml", "text/csv")
MACHINE = "provenance"  # cells with this tag print versions and the device
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-default-apps",
]


def pytest_collection_modifyitems(items):
    unopened = "CI" not in os.environ and not chromium()
    for item in items:
        if unopened and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="there is no chromium here"))
        if hasattr(item.parent, "skip_compare"):
            item.parent.skip_compare = tuple({*item.parent.skip_compare, *UNCOMPARED})
            if MACHINE in item.cell.metadata.get("tags", []):
                item.options["check"] = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """A kernel starts without the graphics card: outputs are those of the processor."""
    if not hasattr(item.parent, "skip_compare"):
        return (yield)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        return (yield)
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES")
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def chromium():
    """The browser's program, if it is here."""
    from book._make.editions import BROWSERS

    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser():
    """One at a time in a process: while it is open, its event loop runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def cohort():
    """A small simulated cohort: five participants, six clips, two windows a trial."""
    from mpcl.simulation.cohort import cohort

    return cohort(participants=5, clips=6, windows=2, seed=7)
