"""What made a number: the code that it reaches counts, and nothing else does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpcl import provenance
from mpcl.provenance import (
    ROOT,
    code_of,
    hash_of,
    imported,
    reachable,
    syntax,
    versions,
)

SOURCE = '''
def total(values):
    """Add up."""
    return sum(values)  # all of them
'''
PACKAGE = {
    "__init__": '"""Names."""\n',
    "loud": "from mpcl.quiet import low\nfrom mpcl import spare\n",
    "quiet": "TABLE = {'other': 'mpcl.other:run'}\n\ndef low(): return 1\n",
    "spare": "import mpcl.deep.inner\n",
    "deep/__init__": "",
    "deep/inner": "from . import beside\nfrom ..quiet import low\n",
    "deep/beside": "",
    "other": "def run(): return 2\n",
    "typed": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from mpcl import other\n"
    ),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package named mpcl in a folder of its own."""
    for name, source in PACKAGE.items():
        path = tmp_path / "mpcl" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    # both functions have the root as a default
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(reachable, "__defaults__", (tmp_path,))
    return tmp_path / "mpcl"


def test_syntax_is_what_runs():
    assert syntax(SOURCE) == syntax(
        SOURCE.replace("Add up.", "In other words.").replace("  # all of them", "")
    )
    assert syntax(SOURCE) != syntax(SOURCE.replace("sum", "max"))


def test_imports_are_followed_and_names_in_a_table_are_not(package):
    assert list(reachable("import mpcl.loud")) == [
        "mpcl",
        "mpcl.deep",
        "mpcl.deep.beside",
        "mpcl.deep.inner",
        "mpcl.loud",
        "mpcl.quiet",
        "mpcl.spare",
    ]
    assert list(reachable("import mpcl.typed")) == ["mpcl", "mpcl.typed"]
    assert list(reachable("def f():\n    import mpcl.other")) == ["mpcl", "mpcl.other"]


def test_imports_for_types_alone_do_not_count():
    assert imported(PACKAGE["typed"]) == {"typing", "typing.TYPE_CHECKING"}


def test_code_of_counts_what_a_module_reaches(package):
    before = code_of("mpcl.loud")
    assert len(before) == 16 and before != code_of("mpcl.quiet")
    assert before == code_of("mpcl.loud", "mpcl.quiet"), "the latter is reached anyhow"
    for name, changes in (
        ("quiet", True),
        ("deep/beside", True),
        ("other", False),
        ("__init__", False),
    ):
        path = package / f"{name}.py"
        path.write_text(f"{path.read_text()}\n# a comment\n")
        assert code_of("mpcl.loud") == before, name
        path.write_text(f"{path.read_text()}\nMORE = 1\n")
        assert (code_of("mpcl.loud") != before) == changes, name
        path.write_text(PACKAGE[name])
    assert code_of("mpcl.loud") == before


def test_code_of_an_unknown_module_is_refused():
    with pytest.raises(ImportError, match=r"mpcl\.nothing"):
        code_of("mpcl.splits", "mpcl.nothing")


def test_what_downloads_makes_no_score():
    """Editing fetch.py once refused every results file."""
    scoring = reachable("import mpcl.evaluation.predict")
    assert "mpcl.splits" in scoring and "mpcl.data.fetch" not in scoring


def test_items_of_a_hash_do_not_run_into_one_another():
    assert hash_of("ab", "c") != hash_of("a", "bc") != hash_of("abc")
    assert hash_of("ab") == hash_of(b"ab")


def test_versions_are_those_that_are_installed():
    import torch

    assert versions()["torch"] == torch.__version__.split("+")[0]


def test_a_page_names_the_code_that_it_loads_and_no_other():
    def printed(module: str) -> str:
        code = (
            f"import {module}; from mpcl import provenance as p; print(p.loaded_code())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    light = printed("mpcl.errors")
    assert len(light) == 16 and light == printed("mpcl.errors, json")
    assert light != printed("mpcl.files")


def test_a_commit_says_whether_the_package_was_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.commit() == "unknown"
    shutil.copytree(ROOT / "mpcl" / "model", tmp_path / "mpcl")
    (tmp_path / "page").write_text("1")
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    head = provenance.commit()
    assert len(head) == 12 and int(head, 16)
    (tmp_path / "page").write_text("2")
    assert provenance.commit() == head, "a page is no part of the package"
    (tmp_path / "mpcl" / "__init__.py").write_text("2")
    assert provenance.commit() == f"{head}+"
