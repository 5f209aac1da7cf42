"""Imports point in one direction, and what needs no torch loads none."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mpcl
from mpcl.provenance import ROOT, imported

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "mpcl").rglob("*.py"))
    if path.name != "__init__.py"
}
# A module may import what stands above it. The longest name that fits is the place of a
# module; modules that share a place may import one another, but not in a circle.
ORDER = [
    "mpcl.provenance",
    "mpcl.errors",
    "mpcl.files",
    "mpcl.locks",
    "mpcl.terminal",
    "mpcl.data.storable",
    "mpcl.data.contract",
    "mpcl.data.labels",
    "mpcl.data.windowing",
    "mpcl.data.features",
    "mpcl.data",  # wesad, dmer, and what fetches and checks their files
    "mpcl.simulation",
    "mpcl.data.catalogue",
    "mpcl.normalisation",
    "mpcl.splits",
    "mpcl.model",
    "mpcl.model.network",
    "mpcl.training.settings",
    "mpcl.training.optimiser",
    "mpcl.training.graph",
    "mpcl.training.batches",
    "mpcl.training.stack",
    "mpcl.training.loop",
    "mpcl.evaluation.metrics",
    "mpcl.evaluation.floors",
    "mpcl.evaluation",
    "mpcl.evaluation.predict",
    "mpcl.evaluation.check",
    "mpcl.evaluation.results",
    "mpcl.evaluation.tables",
    "mpcl.figures",
    "mpcl.teaching",  # its exercises are what the chapters import
    "mpcl.notebook",
    "mpcl.laboratory",  # its grid runs notebooks
    "mpcl.__main__",
]
OF_THE_BOOK = {"papermill", "nbformat", "nbclient", "nbconvert", "IPython", "ipykernel"}
WITHOUT_TORCH = ("01_mixed_emotions", "02_signals", "03_honest_evaluation")


def imports(name):
    """The modules of the package that a module imports."""
    source = MODULES[name].read_text(encoding="utf-8")
    return imported(source, name.rpartition(".")[0]) & MODULES.keys()


def place(name):
    fitting = [
        entry for entry in ORDER if name == entry or name.startswith(f"{entry}.")
    ]
    assert fitting, f"{name} has no place in ORDER: say where it stands"
    return ORDER.index(max(fitting, key=len))


def loaded(code, *packages):
    """Which of some packages a fresh Python has loaded after some code."""
    end = f"\nimport sys\nprint(*({set(packages)} & sys.modules.keys()))"
    ran = subprocess.run(
        [sys.executable, "-c", code + end], capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_to_what_stands_before(name):
    wrong = [other for other in imports(name) if place(other) > place(name)]
    assert not wrong, f"{name} may not import {', '.join(wrong)}"


def test_every_place_is_taken():
    gone = [entry for entry in ORDER if not any(n.startswith(entry) for n in MODULES)]
    assert not gone, f"no such modules: {', '.join(gone)}"


def test_no_circle():
    left = {name: imports(name) for name in MODULES}
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        assert free, f"these import one another in a circle: {', '.join(left)}"
        for name in free:
            del left[name]


@pytest.mark.parametrize("name", MODULES)
def test_the_package_knows_nothing_of_the_book(name):
    """Training on a cluster needs neither book/ nor what runs notebooks."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    first = {word.split(".")[0] for word in imported(ast.unparse(tree))}
    assert not first & ({"book", "data"} | OF_THE_BOOK)


def test_package_folders_import_nothing():
    for path in (ROOT / "mpcl").rglob("__init__.py"):
        of_ours = [
            name
            for name in imported(path.read_text(encoding="utf-8"))
            if name.split(".")[0] == "mpcl"
        ]
        assert not of_ours, f"{path.parent.name}/__init__.py imports {of_ours}"


def test_importing_the_package_is_light():
    heavy = ("torch", "xarray", "numpy", "pandas", "matplotlib", "sklearn", "yaml")
    assert loaded("import mpcl, mpcl.__main__; dir(mpcl)", *heavy) == set()


def test_the_public_names_are_there_when_asked_for():
    assert set(mpcl.__all__) == mpcl.MODULES.keys() <= set(dir(mpcl))
    for name, module in mpcl.MODULES.items():
        assert f"mpcl.{module}" in MODULES
        value = getattr(mpcl, name)
        assert value.__name__ == name and value.__module__ == f"mpcl.{module}"
    with pytest.raises(AttributeError, match="module 'mpcl' has no attribute 'fti'"):
        mpcl.fti  # noqa: B018


def test_a_type_checker_sees_the_public_names():
    tree = ast.parse(Path(mpcl.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: statement.module.removeprefix("mpcl.")
        for statement in block.body
        for alias in statement.names
    }
    assert seen == mpcl.MODULES


def test_no_public_name_hides_a_room():
    """A module of the same name would replace the function once it is imported."""
    rooms = {path.stem for path in (ROOT / "mpcl").iterdir()}
    assert not rooms & set(mpcl.__all__)
    importlib.import_module("mpcl.evaluation.predict")
    assert callable(mpcl.predict)


def import_lines(chapter):
    """The statements of a chapter that import something, wherever they stand."""
    notebook = json.loads((ROOT / "book" / f"{chapter}.ipynb").read_text("utf-8"))
    cells = [c["source"] for c in notebook["cells"] if c["cell_type"] == "code"]
    trees = [ast.parse("".join(cell)) for cell in cells]
    kinds = ast.Import | ast.ImportFrom
    found = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)
    ]
    return [ast.unparse(node) for node in found]


def test_chapters_without_networks_load_no_torch():
    code = "import sys\n"
    for chapter in WITHOUT_TORCH:
        lines = import_lines(chapter)
        assert any("mpcl.notebook" in line for line in lines)
        code += "\n".join([*lines, f"assert 'torch' not in sys.modules, {chapter!r}\n"])
    loaded(code)


def test_what_needs_no_torch_loads_none():
    names = (
        "mpcl.data.catalogue",
        "mpcl.data.features",
        "mpcl.simulation.wesad_twin",
        "mpcl.normalisation",
        "mpcl.splits",
        "mpcl.training.settings",
        "mpcl.model.config",
        "mpcl.evaluation.metrics",
        "mpcl.evaluation.floors",
        "mpcl.evaluation.statistics",
        "mpcl.evaluation.tables",
        "mpcl.figures.plots",
        "mpcl.notebook",
        "mpcl.teaching.lab",
    )
    code = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
    assert "torch" not in sys.modules, name
"""
    loaded(code)
