"""What all tests share: one thread, and how nbval compares the notebooks."""

import os

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYTHONHASHSEED", "0")
os.environ.pop("MPLBACKEND", None)  # kernels inherit it, and figures must go into the notebook
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")

hypothesis.settings.register_profile("book", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("book")

UNCOMPARED = ("stderr", "image/svg+xml", "text/csv")  # drawings are compared by their text/plain, as image/png is
MACHINE = "provenance"  # cells with this tag print versions and the device: nbval does not compare them


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item.parent, "skip_compare"):
            item.parent.skip_compare = tuple({*item.parent.skip_compare, *UNCOMPARED})
            if MACHINE in item.cell.metadata.get("tags", []):
                item.options["check"] = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Committed outputs are those of the processor: a notebook's kernel starts without the graphics card."""
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


@pytest.fixture(scope="session")
def cohort():
    """A small simulated cohort: five participants, six clips, two windows a trial."""
    from mpcl.data.simulated import cohort

    return cohort(participants=5, clips=6, windows=2, seed=7)
