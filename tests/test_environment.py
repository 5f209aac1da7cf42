"""The lock, pyproject.toml and environment.yml agree; a wheel holds the package."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from mpcl import __version__
from mpcl.provenance import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXT = (ROOT / "requirements.lock").read_text()
LOCK = {
    canonicalize_name(name): pin
    for name, pin in re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", TEXT)
}
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [
    Requirement(text)
    for text in [*PROJECT["dependencies"], *EXTRAS["book"], *EXTRAS["test"]]
]


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_lock_holds_what_pyproject_asks(wanted):
    pin = LOCK.get(canonicalize_name(wanted.name))
    assert pin and pin in wanted.specifier, (
        f"requirements.lock has {wanted.name} {pin}: run `make lock`"
    )
    assert Version(version(wanted.name)).public == pin, (
        "installed is not what is locked: run `make .venv/.installed`"
    )


def test_lock_can_be_installed_anywhere():
    assert "+" not in "".join(LOCK.values()), (
        "a local suffix such as +cpu exists on one machine only"
    )
    lines = [
        line
        for line in TEXT.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    assert len(lines) == len(LOCK), (
        "every line is an exact pin: no index, no path, no hash"
    )


def test_what_is_optional_stays_out_of_the_lock():
    unlocked = [
        Requirement(text) for name in ("peers", "parquet") for text in EXTRAS[name]
    ]
    assert {"book", "test", "teaching", "cluster", "peers", "parquet"} == set(EXTRAS)
    assert all("==" in str(package.specifier) for package in unlocked)
    assert not LOCK.keys() & {canonicalize_name(package.name) for package in unlocked}


BOOK = ("papermill", "nbformat", "nbclient", "IPython", "ipykernel", "jupyter", "book")
EVALUATE = """
import sys
import mpcl.__main__, mpcl.evaluation.results, mpcl.training.loop
from mpcl.evaluation.results import evaluate
from mpcl.simulation.cohort import cohort
from mpcl.training.settings import Settings
dataset = cohort(participants=5, clips=3, windows=1, seed=1)
methods, settings = ["ridge", "mpcl"], Settings(epochs=1)
evaluate(dataset, methods, "participants", [0], settings, "cpu")
print(*sorted(sys.modules))
"""


def test_training_and_evaluating_need_nothing_of_the_book():
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "mpcl.model.network" in loaded, "it did train"
    assert [name for name in loaded if name.startswith(BOOK)] == []


def test_what_only_the_book_needs_is_no_dependency_of_the_package():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert not {"papermill", "nbformat", "ipykernel", "psutil"} & names


def test_environment_yml_uses_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, inner = environment["dependencies"]
    assert pip == "pip" and inner == {"pip": ["-r requirements.lock", "-e ."]}
    assert (
        python.removeprefix("python=")
        in Requirement(f"python{PROJECT['requires-python']}").specifier
    )


def test_citation_and_package_have_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == __version__
    assert citation["license"] == PROJECT["license"] == "BSD-3-Clause"


def test_a_wheel_holds_every_module_of_the_package_and_no_other(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for folder in ("mpcl", "book/_make", "data/make"):
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=unwanted)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "README.md").write_text("The book's package.\n")
    setuptools = pytest.importorskip(
        "setuptools", minversion="77", reason="this setuptools builds no such project"
    )
    assert setuptools
    build = "from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    code = f"import sys; {build}"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    assert held == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "mpcl").rglob("*.py")
    }
