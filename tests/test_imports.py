"""Imports of the package point in one direction, back to the data, and none goes in a circle."""

import subprocess
import sys

import pytest

from mpcl.freshness import ROOT, imported

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "mpcl").rglob("*.py")) if path.name != "__init__.py"
}
# A module may import what stands above it. The longest name that fits is the place of a module; modules that share
# a place may import one another, but not in a circle.
ORDER = [
    "mpcl.freshness",  # reads code and notebooks as text, imports none of it
    "mpcl.data.contract",
    "mpcl.data.labels",
    "mpcl.data.windowing",
    "mpcl.data.features",
    "mpcl.data",  # simulated, wesad, dmer
    "mpcl.data.catalogue",
    "mpcl.provenance",
    "mpcl.normalisation",
    "mpcl.settings",
    "mpcl.splits",
    "mpcl.model",
    "mpcl.model.network",
    "mpcl.batches",
    "mpcl.checkpoints",
    "mpcl.replicas",
    "mpcl.training",
    "mpcl.evaluation",
    "mpcl.evaluation.protocol",
    "mpcl.evaluation.results",
    "mpcl.evaluation.claims",
    "mpcl.profiles",
    "mpcl.exercises",
    "mpcl.figures",
    "mpcl.notebooks",
    "mpcl.editions",
    "mpcl.__main__",
]


def imports(name):
    """The modules of the package that a module imports."""
    source = MODULES[name].read_text(encoding="utf-8")
    return imported(source, name.rpartition(".")[0]) & MODULES.keys()


def place(name):
    fitting = [entry for entry in ORDER if name == entry or name.startswith(f"{entry}.")]
    assert fitting, f"{name} has no place in ORDER: say where it stands"
    return ORDER.index(max(fitting, key=len))


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_to_what_stands_before(name):
    wrong = [other for other in imports(name) if place(other) > place(name)]
    assert not wrong, f"{name} may not import {', '.join(wrong)}"


def test_no_circle():
    left = {name: imports(name) for name in MODULES}
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        assert free, f"these import one another in a circle: {', '.join(left)}"
        for name in free:
            del left[name]


def test_package_folders_import_nothing():
    for path in (ROOT / "mpcl").rglob("__init__.py"):
        assert not imported(path.read_text(encoding="utf-8")), f"{path.parent.name}/__init__.py imports something"


def test_importing_the_package_is_light():
    heavy = ("torch", "xarray", "numpy", "pandas", "matplotlib", "sklearn")
    code = f"import sys, mpcl; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
