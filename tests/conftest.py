import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    for notebook in {item.parent for item in items if hasattr(item.parent, "skip_compare")}:
        notebook.skip_compare += ("stderr",)


@pytest.fixture(scope="session")
def cohort():
    """A small simulated cohort: five participants, six clips, two windows a trial."""
    from mpcl.data.simulated import cohort

    return cohort(participants=5, clips=6, windows=2, seed=7)
