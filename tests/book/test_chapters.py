"""The commands that run the chapters, in checkouts of two chapters of one line."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from book._make.chapters import differences
from book._make.contents import BookError, chapters
from book._make.fresh import read_notebook, stale, text_of
from mpcl.files import write_text
from mpcl.provenance import ROOT

TOC = "format: jb-book\nroot: book/a\nchapters:\n- file: book/b\n"
CLEAN = shutil.ignore_patterns("__pycache__")


def checkout(to, **sources):
    """A copy of the package and of the book's tools, with chapters of one cell each."""
    shutil.copytree(ROOT / "mpcl", to / "mpcl", ignore=CLEAN)
    shutil.copytree(ROOT / "book" / "_make", to / "book" / "_make", ignore=CLEAN)
    shutil.copy(ROOT / "requirements.lock", to)
    (to / "data").mkdir()
    write_text(TOC, to / "_toc.yml")
    for name, source in sources.items():
        metadata = {"tags": ["check"], "slideshow": {}}
        cell = nbformat.v4.new_code_cell(source, metadata=metadata)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        write_text(text_of(notebook), to / "book" / f"{name}.ipynb")


def command(what, root):
    return subprocess.run(
        [sys.executable, "-m", "book._make.chapters", what],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )


def test_refresh_renews_only_what_is_stale_and_repeats_itself(tmp_path):
    checkout(tmp_path, a="print(object())", b="from mpcl.data import labels\nprint(1)")

    def refresh():
        run = command("refresh", tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr
        texts = [(tmp_path / "book" / f"{name}.ipynb").read_bytes() for name in "ab"]
        renewed = re.findall(r"book/(\w)\.ipynb: renewed", run.stdout)
        return texts, renewed, "[1/" in run.stdout

    first, renewed, ran = refresh()
    assert renewed == ["a", "b"] and ran
    assert b"slideshow" not in first[0] and b"check" in first[0]
    assert refresh() == (first, [], False)
    shutil.rmtree(tmp_path / "_build")
    path = tmp_path / "book" / "a.ipynb"
    stripped = read_notebook(path)
    stripped.cells[0].outputs = []
    write_text(text_of(stripped), path)
    assert refresh() == (first, ["a"], True)
    module = tmp_path / "mpcl" / "data" / "labels.py"
    module.write_text(module.read_text() + "\nMORE = 1\n")
    assert [path.stem for path in chapters(tmp_path) if stale(path)] == ["b"]


def test_a_failing_chapter_is_named_and_the_others_run(tmp_path):
    checkout(tmp_path, a="one = 1\none / 0", b="print(1)")
    run = command("build", tmp_path)
    assert run.returncode == 1
    failure = r"FAILED at cell 1, In \[1\]: ZeroDivisionError: division by zero"
    assert re.search(rf"book/a\.ipynb  {failure}", run.stdout)
    assert re.search(r"book/b\.ipynb  [\d.]+ s", run.stdout)
    assert "1 of 2 chapters failed" in run.stderr
    assert not (tmp_path / "_build" / "html").exists()


def test_a_page_that_is_not_there_is_named(tmp_path):
    write_text(TOC, tmp_path / "_toc.yml")
    with pytest.raises(BookError, match="book/a"):
        chapters(tmp_path)


def test_a_run_is_compared_with_what_is_committed():
    def chapter(*texts):
        outputs = [nbformat.v4.new_output("stream", text=text) for text in texts]
        cells = [nbformat.v4.new_code_cell("print()", outputs=[o]) for o in outputs]
        cells[-1].metadata["tags"] = ["provenance"]
        return nbformat.v4.new_notebook(cells=cells)

    committed = chapter("1", "2", "this machine")
    assert differences(committed, chapter("1", "3", "that machine")) == 1
    assert differences(committed, chapter("1", "2", "that machine")) == 0
