"""What turns a chapter stale, and what does not: a checkout with one small chapter."""

import shutil
import subprocess
import sys

import nbformat
import pytest

from book._make.chapters import execute, run_all
from book._make.fresh import (
    named_files,
    parts,
    read_data,
    read_notebook,
    stale,
    text_of,
)
from mpcl.files import write_text
from mpcl.provenance import syntax

CELLS = [
    'DATASET = "simulated"',
    "from mpcl.letters import shout",
    'print(round(0.1 + 0.2, 3), shout("so"))',
    "2 * 21",
]
MODULE = '''"""Letters."""

from importlib import import_module

from mpcl import voice

TABLE = {"end": "mpcl.deep.inner", "start": "mpcl.unused"}


def shout(word):
    """Say it."""
    inner = import_module(TABLE["end"])  # what is loaded when it is needed counts too

    return voice.loud(word) + inner.END
'''
FILES = {
    "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n- file: book/01_small\n",
    "book/index.md": "# Small\n",
    "requirements.lock": "numpy==1\n    # via nobody\n",
    "mpcl/__init__.py": "",
    "mpcl/letters.py": MODULE,
    "mpcl/voice.py": 'FILE = "results"\n\ndef loud(word):\n    return word.upper()\n',
    "mpcl/deep/__init__.py": "",
    "mpcl/deep/inner.py": 'END = "!"\n',
    "mpcl/unused.py": "ONE = 1\n",
    "data/simulated.nc": "numbers",
    "data/results/scores.nc": "scores",
    "data/results/people-10.nc": "few",
    "data/results/people-160.nc": "many",
    "data/derived/simulated.nc": "",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small checkout whose one chapter was run for real."""
    root = tmp_path_factory.mktemp("made")
    for name, text in FILES.items():
        write_text(text, root / name)
    path = root / "book" / "01_small.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    title = nbformat.v4.new_markdown_cell("# Small")
    write_text(text_of(nbformat.v4.new_notebook(cells=[title, *cells])), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(root))  # its own mpcl
        ran = run_all([path], 1, root)
        assert run_all([path], 1, root) == ran, "the run is kept"
    notebook, record = ran[path]
    assert record.seconds > 0
    write_text(text_of(notebook), path)
    return root


@pytest.fixture
def small(made, tmp_path):
    """The fresh chapter in a copy of the small checkout."""
    shutil.copytree(made, tmp_path / "small")
    path = tmp_path / "small" / "book" / "01_small.ipynb"
    assert stale(path) == []
    return path


def edit(path, change):
    notebook = read_notebook(path)
    change(notebook)
    write_text(text_of(notebook), path)


def test_a_run_knows_the_modules_that_it_loaded(small):
    assert read_notebook(small).metadata.mpcl.modules == [
        "mpcl",
        "mpcl.deep",
        "mpcl.deep.inner",
        "mpcl.letters",
        "mpcl.voice",
    ]
    assert len(read_notebook(small).cells) == 5, "the cell that asked for them is gone"


def test_a_changed_number_is_seen(small):
    edit(small, lambda nb: nb.cells[3].outputs[0].update(text="0.4 SO!\n"))
    assert "edited by hand" in " ".join(stale(small))


def test_a_stripped_output_is_seen(small):
    edit(small, lambda nb: nb.cells[4].update(outputs=[]))
    assert "stripped" in " ".join(stale(small))


def test_a_stripped_notebook_is_seen(small):
    def strip(notebook):
        for cell in notebook.cells[1:]:
            cell.update(outputs=[], execution_count=None)

    edit(small, strip)
    assert "not run once each" in " ".join(stale(small))


def test_reordered_cells_are_seen(small):
    edit(small, lambda nb: nb.cells.insert(3, nb.cells.pop()))
    reasons = " ".join(stale(small))
    assert "not run once each" in reasons and "code cells changed" in reasons


def test_a_changed_cell_is_seen(small):
    edit(small, lambda nb: nb.cells[4].update(source="2 * 22"))
    assert stale(small) == ["its code cells changed after they were run"]


@pytest.mark.parametrize("name", ["letters", "voice", "deep/inner", "deep/__init__"])
def test_a_changed_line_of_the_package_is_seen(small, name):
    module = small.parents[1] / "mpcl" / f"{name}.py"
    module.write_text(module.read_text() + "\nMORE = 1\n")
    assert stale(small) == ["a module of mpcl that it loads changed after it was run"]


def test_a_module_that_is_gone_is_seen(small):
    (small.parents[1] / "mpcl" / "voice.py").unlink()
    assert stale(small) == ["a module of mpcl that it loads changed after it was run"]


def test_what_cannot_matter_is_not_seen(small):
    root = small.parents[1]
    (root / "mpcl" / "letters.py").write_text(
        MODULE.replace("Say it.", "Say it aloud.") + "\n\n# the end\n"
    )
    (root / "mpcl" / "unused.py").write_text("ONE = 2\n")
    (root / "mpcl" / "__init__.py").write_text('__version__ = "2"\n')
    (root / "requirements.lock").write_text("numpy==1\n    # via somebody\n")
    edit(small, lambda nb: nb.cells[0].update(source="# Smaller\n\nWith another text."))
    assert stale(small) == []


def test_a_changed_lock_is_seen(small):
    (small.parents[1] / "requirements.lock").write_text("numpy==2\n")
    assert stale(small) == ["requirements.lock changed after it was run"]


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("1", ["simulated"]),
        ('kept("scores.nc")', ["scores", "simulated"]),
        ('read(folder / "results" / "scores.nc")', ["scores", "simulated"]),
        ('read("data/results/scores.nc")', ["scores", "simulated"]),
        ('folder.glob("people-*.nc")', ["people-10", "people-160", "simulated"]),
        ('[f"people-{n}.nc" for n in n]', ["people-10", "people-160", "simulated"]),
        ('"results", "scores", "*", ".nc"', ["simulated"]),
        ("%matplotlib inline\nscores = 1", ["simulated"]),
    ],
)
def test_a_data_file_counts_where_a_cell_names_it(small, cell, named):
    edit(small, lambda nb: nb.cells[4].update(source=cell))
    assert sorted(path.stem for path in read_data(small)) == named
    root = small.parents[1]
    for path in sorted((root / "data").rglob("*.nc")):
        before = parts(small, [])["data"]
        path.write_text("one byte more")
        counts = path.stem in named and path.parent.name != "derived"
        assert (parts(small, [])["data"] != before) == counts, path


def test_the_simulated_data_set_is_a_file_only_where_it_is_opened(small):
    assert named_files(['DATASET = "mine.nc"'], small.parents[1]) == []


def test_a_missing_fingerprint_is_seen(small):
    edit(small, lambda nb: nb.metadata.pop("mpcl"))
    assert stale(small) == ["it carries no fingerprint of a run"]


def test_an_edited_fingerprint_is_seen(small):
    edit(small, lambda nb: nb.metadata.mpcl.update(fingerprint="0" * 16))
    assert stale(small) == ["its fingerprint was edited"]


def test_nbval_sees_a_changed_number(small, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(small.parents[1]))
    options = "-q --nbval --nbval-current-env -p no:cacheprovider -p no:xdist"
    config = ["-c", "/dev/null", "--rootdir", str(small.parent), str(small)]
    command = [sys.executable, "-m", "pytest", *options.split(), *config]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    edit(small, lambda nb: nb.cells[3].outputs[0].update(text="0.4 SO!\n"))
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1 and "0.4 SO!" in run.stdout and "1 failed" in run.stdout


def test_parameters_are_handed_to_a_run(small, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(small.parents[1]))
    edit(small, lambda nb: nb.cells[1].metadata.update(tags=["parameters"]))
    edit(small, lambda nb: nb.cells[4].update(source="print(DATASET)"))
    execute(small, small.parent / "out.ipynb", DATASET="mine")
    last = read_notebook(small.parent / "out.ipynb").cells[-1]
    assert last.outputs[0].text == "mine\n"


def test_syntax_does_not_forget_what_matters():
    assert syntax("a = 1") != syntax("a = 2")
    assert syntax("x = 'docstring?'") != syntax("x = 'another'")
    assert syntax("def f(*, a=None): pass") != syntax("def f(a=None): pass")
    assert syntax("{None: 1, **b}") != syntax("{**b}")
