"""The chapters: their committed outputs are whole, fresh and clean, and their parameters are checked.

What nbval does not see is tested here: outputs that were stripped, edited, or are older than the code.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mpcl.freshness import ROOT, clean, fingerprint, hash_of_outputs, parts, stale, syntax, text_of
from mpcl.notebooks import chapters, differences, execute, offer_numbers, write

CHAPTERS = chapters()
PARAMETERS = {"DATASET", "DATA_ROOT", "PROFILE", "SEED", "DEVICE", "OUT"}
REMEDY = "run `make refresh`"
each = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def complaint(path):
    """What the test below says of a notebook that is not fresh: why, and what to do."""
    reasons = stale(path)
    return f"{path.name}: {'; '.join(reasons)}; {REMEDY}" if reasons else None


@each
def test_fresh(path):
    assert not complaint(path), complaint(path)


@each
def test_clean(path):
    raw = path.read_text(encoding="utf-8")
    assert text_of(clean(nbformat.reads(raw, 4))) == raw, f"{path.name} holds ids, times or other metadata; {REMEDY}"
    assert len(raw.encode()) < 1_000_000, f"{path.name} is over 1 MB: draw less, or smaller figures; then {REMEDY}"


@each
def test_shows_no_warning_and_no_path(path):
    outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])]
    warned = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not warned, f"{path.name} writes to standard error: {warned[0][:200]!r}; mend the cause, then {REMEDY}"
    text = json.dumps([output.get("text", output.get("data", {})) for output in outputs])
    here = [place for place in (str(ROOT), f"{Path.home()}/", "/tmp/", "ipykernel_") if place in text]
    assert not here, f"{path.name} shows a path of one machine; print names instead, then {REMEDY}"


@each
def test_figures_are_described(path):
    for cell in nbformat.read(path, 4).cells:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            words = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(words) > 20, f"{path.name}, {cell.id}: the figure needs mystnb metadata {{image: {{alt: ...}}}}"


@each
def test_one_cell_of_parameters(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(cells) == 1, f"{path.name} needs one cell with the tag 'parameters'"
    assert set(papermill.inspect_notebook(str(path))) == PARAMETERS


def test_every_notebook_is_in_the_table_of_contents():
    found = [path for path in (ROOT / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts]
    assert sorted(found) == sorted(CHAPTERS)


# Parameters ---------------------------------------------------------------------------------------


WRONG = pytest.mark.parametrize(
    "wrong", [{"DATASETT": "simulated"}, {"DATASET": "no such data"}, {"PROFILE": "medium"}, {"DEVICE": "abacus"}],
    ids=lambda wrong: next(iter(wrong)))


def beginning(path):
    """A chapter up to the cell that opens its data."""
    nb = nbformat.read(path, 4)
    opens = next(i for i, cell in enumerate(nb.cells) if cell.cell_type == "code" and ".open(" in cell.source)
    nb.cells = nb.cells[:opens + 1]
    return nb


def check_sentence(error, wrong):
    (name, value), = wrong.items()
    assert (value if name in PARAMETERS else name) in error, "the sentence names what is wrong"
    assert "\n" not in error.strip(), "one sentence"


@each
@WRONG
def test_wrong_parameters_are_refused_in_one_sentence(path, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / path.name, text_of(beginning(path)))
    cells = parameterize_notebook(load_notebook_node(str(tmp_path / path.name)), wrong).cells
    names = {"__name__": "__main__"}
    with pytest.raises(ValueError) as caught:
        for cell in cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, path.name, "exec"), names)
    check_sentence(str(caught.value), wrong)
    assert "run" not in names or "DATASET" in wrong, "the check is the first cell after the parameters"
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "nothing else is written"


def test_papermill_refuses_a_wrong_name(tmp_path):
    path, wrong = CHAPTERS[0], {"DATASETT": "simulated"}
    write(tmp_path / path.name, text_of(beginning(path)))
    with pytest.raises(PapermillExecutionError) as caught:
        execute(tmp_path / path.name, tmp_path / "out.ipynb", **wrong)
    check_sentence(caught.value.evalue, wrong)


# The net on the book itself, in a copy ------------------------------------------------------------


@pytest.fixture
def copied(tmp_path):
    """All of the checkout that a fingerprint reads, with every chapter fresh."""
    for folder in ("mpcl", "data", "book"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "derived", ".*"))
    for name in ("_toc.yml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for path in chapters(tmp_path):
        edit(path, lambda nb, path=path: clean(nb).metadata.update(mpcl={
            "fingerprint": fingerprint(path), "outputs": hash_of_outputs(nb), "parts": parts(path)}))
    return tmp_path


def change_a_number(nb):
    output = next(o for cell in nb.cells for o in cell.get("outputs", []) if re.search(r"\d\.\d", o.get("text", "")))
    output.text = re.sub(r"(\d\.)(\d)", lambda m: m[1] + str((int(m[2]) + 1) % 10), output.text, count=1)


def strip_an_output(nb):
    next(cell for cell in nb.cells if cell.get("outputs")).outputs = []


def reorder_two_cells(nb):
    first, second = [number for number, cell in enumerate(nb.cells) if cell.cell_type == "code"][2:4]
    nb.cells[first], nb.cells[second] = nb.cells[second], nb.cells[first]


@pytest.mark.parametrize(("change", "reason"), [
    (change_a_number, "edited by hand"), (strip_an_output, "stripped"), (reorder_two_cells, "not run once each")],
    ids=["number", "strip", "reorder"])
def test_a_tampered_chapter_is_named_with_its_remedy(copied, change, reason):
    path = chapters(copied)[0]
    assert complaint(path) is None
    edit(path, change)
    assert reason in complaint(path) and path.name in complaint(path) and complaint(path).endswith(REMEDY)
    assert not any(complaint(other) for other in chapters(copied)[1:])


def test_one_line_of_the_package_stales_only_the_chapters_that_reach_it(copied):
    module = copied / "mpcl" / "model" / "compression.py"
    module.write_text(module.read_text() + "\nMORE = 1\n")
    said = {path.stem: complaint(path) for path in chapters(copied)}
    assert "a module of mpcl" in said["09_semantic_compression"] and said["09_semantic_compression"].endswith(REMEDY)
    assert said["02_signals"] is said["04_associative_memory"] is None, "these never load the network"


# The net in small: what turns it red, and what does not -------------------------------------------

CHAPTER = {
    "parameters": 'DATASET = "simulated"',
    "import": "from mpcl.letters import shout",
    "number": 'print(round(0.1 + 0.2, 3), shout("so"))',
    "draw": "2 * 21",
}
MODULE = '''"""Letters."""

from mpcl import voice


def shout(word):
    """Say it."""
    from mpcl.deep import inner  # a dependency within a function counts too

    return voice.loud(word) + inner.END
'''


@pytest.fixture
def small(tmp_path):
    """A small checkout with one fresh chapter, run for real."""
    files = {
        "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n- file: book/01_small\n",
        "book/index.md": "# Small\n", "requirements.lock": "numpy==1\n    # via nobody\n",
        "mpcl/__init__.py": "", "mpcl/letters.py": MODULE,
        "mpcl/voice.py": "def loud(word):\n    return word.upper()\n",
        "mpcl/deep/__init__.py": "", "mpcl/deep/inner.py": 'END = "!"\n', "mpcl/unused.py": "ONE = 1\n",
        "data/simulated.nc": "numbers", "data/other.nc": "others", "data/derived/simulated.nc": "",
    }
    for name, text in files.items():
        write(tmp_path / name, text)
    path = tmp_path / "book" / "01_small.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in CHAPTER.values()]
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Small"), *cells])))
    run_in(tmp_path, path)
    assert stale(path) == []
    return path


def run_in(root, path):
    """Run a chapter whose ``mpcl`` is the small one, and store its fingerprint."""
    nb = nbformat.read(path, 4)
    here = f"import sys; sys.path.insert(0, {str(root)!r})"
    nb.cells.insert(0, nbformat.v4.new_code_cell(here))
    write(root / "run" / path.name, nbformat.writes(nb))
    execute(root / "run" / path.name, root / "run" / "out.ipynb")
    ran = nbformat.read(root / "run" / "out.ipynb", 4)
    ran.cells = ran.cells[1:]
    for cell in ran.cells:
        if cell.cell_type == "code":
            cell.execution_count -= 1
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count -= 1
    clean(ran).metadata["mpcl"] = {"fingerprint": fingerprint(path), "outputs": hash_of_outputs(ran),
                                   "parts": parts(path)}
    write(path, text_of(ran))


def edit(path, change):
    nb = nbformat.read(path, 4)
    change(nb)
    write(path, text_of(nb))


def test_a_changed_number_is_seen(small):
    edit(small, lambda nb: nb.cells[3].outputs[0].update(text="0.4 SO!\n"))
    assert "edited by hand" in " ".join(stale(small))


def test_nbval_sees_a_changed_number(small):
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider",
               "-p", "no:xdist", "-c", "/dev/null", "--rootdir", str(small.parent), str(small)]
    environment = {"PYTHONPATH": str(small.parents[1]), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    edit(small, lambda nb: nb.cells[3].outputs[0].update(text="0.4 SO!\n"))
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 1 and "0.4 SO!" in run.stdout and "1 failed" in run.stdout


def test_a_stripped_output_is_seen(small):
    edit(small, lambda nb: nb.cells[4].update(outputs=[]))
    assert "stripped" in " ".join(stale(small))


def test_a_stripped_notebook_is_seen(small):
    for cell in (nb := nbformat.read(small, 4)).cells[1:]:
        cell.update(outputs=[], execution_count=None)
    write(small, text_of(nb))
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
    assert stale(small) == ["a module of mpcl that it imports changed after it was run"]


def test_what_cannot_matter_is_not_seen(small):
    root = small.parents[1]
    (root / "mpcl" / "letters.py").write_text(MODULE.replace("Say it.", "Say it aloud.") + "\n\n# the end\n")
    (root / "mpcl" / "unused.py").write_text("ONE = 2\n")
    (root / "requirements.lock").write_text("numpy==1\n    # via somebody\n")
    edit(small, lambda nb: nb.cells[0].update(source="# Smaller\n\nWith another text."))
    assert stale(small) == []


def test_data_and_lock_are_seen(small):
    root = small.parents[1]
    (root / "requirements.lock").write_text("numpy==2\n")
    assert stale(small) == ["requirements.lock changed after it was run"]
    (root / "requirements.lock").write_text("numpy==1\n")
    voice = root / "mpcl" / "voice.py"
    voice.write_text(voice.read_text() + '\nFILE = "simulated.nc"\n')
    before = parts(small)["data"]
    for name, seen in {"simulated.nc": True, "other.nc": False, "derived/simulated.nc": False}.items():
        (root / "data" / name).write_text("changed " + name)
        assert (parts(small)["data"] != before) == seen
        before = parts(small)["data"]


def test_a_missing_fingerprint_is_seen(small):
    edit(small, lambda nb: nb.metadata.pop("mpcl"))
    assert stale(small) == ["it carries no fingerprint of a run"]


def test_refresh_renews_only_what_is_stale_and_repeats_itself(tmp_path):
    """The command itself, in a copy of the package with two chapters of one line."""
    shutil.copytree(ROOT / "mpcl", tmp_path / "mpcl", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    write(tmp_path / "_toc.yml", "format: jb-book\nroot: book/a\nchapters:\n- file: book/b\n")
    for name, source in {"a": "print(object())", "b": "from mpcl.data import labels\nprint(1)"}.items():
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["check"], "slideshow": {}})
        write(tmp_path / "book" / f"{name}.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))

    def refresh():
        run = subprocess.run([sys.executable, "-m", "mpcl.notebooks", "refresh"], cwd=tmp_path, capture_output=True,
                             text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        texts = [(tmp_path / "book" / f"{name}.ipynb").read_bytes() for name in "ab"]
        return texts, re.findall(r"book/(\w)\.ipynb: renewed", run.stdout), "[1/" in run.stdout

    first, renewed, ran = refresh()
    assert renewed == ["a", "b"] and ran and b"slideshow" not in first[0] and b"check" in first[0]
    assert refresh() == (first, [], False)
    shutil.rmtree(tmp_path / "_build")
    edit(tmp_path / "book" / "a.ipynb", lambda nb: nb.cells[0].update(outputs=[]))
    assert refresh() == (first, ["a"], True)
    module = tmp_path / "mpcl" / "data" / "labels.py"
    module.write_text(module.read_text() + "\nMORE = 1\n")
    assert [path.stem for path in chapters(tmp_path) if stale(path)] == ["b"]


def test_a_failing_chapter_is_named_and_the_others_run(tmp_path):
    shutil.copytree(ROOT / "mpcl", tmp_path / "mpcl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    (tmp_path / "data").mkdir()
    write(tmp_path / "_toc.yml", "format: jb-book\nroot: book/a\nchapters:\n- file: book/b\n")
    for name, source in {"a": "one = 1\none / 0", "b": "print(1)"}.items():
        cell = nbformat.v4.new_code_cell(source)
        write(tmp_path / "book" / f"{name}.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))
    command = [sys.executable, "-m", "mpcl.notebooks", "build"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert re.search(r"book/a\.ipynb  FAILED at cell 1, In \[1\]: ZeroDivisionError: division by zero", run.stdout)
    assert re.search(r"book/b\.ipynb  [\d.]+ s", run.stdout)
    assert "1 of 2 chapters failed" in run.stderr and not (tmp_path / "_build" / "html").exists()


def test_a_run_is_compared_with_what_is_committed():
    def chapter(*texts):
        outputs = [nbformat.v4.new_output("stream", text=text) for text in texts]
        cells = [nbformat.v4.new_code_cell("print()", outputs=[output]) for output in outputs]
        cells[-1].metadata["tags"] = ["provenance"]
        return nbformat.v4.new_notebook(cells=cells)

    assert differences(chapter("1", "2", "this machine"), chapter("1", "3", "that machine")) == 1


def test_a_run_is_timed_and_its_memory_seen(small):
    took = execute(small.parents[1] / "run" / small.name, small.parents[1] / "run" / "again.ipynb")
    assert took["seconds"] > 0 and 20 < took["memory"] < 2000


def test_syntax_does_not_forget_what_matters():
    assert syntax("a = 1") != syntax("a = 2")
    assert syntax("x = 'docstring?'") != syntax("x = 'another'")
    assert syntax("def f(*, a=None): pass") != syntax("def f(a=None): pass")
    assert syntax("{None: 1, **b}") != syntax("{**b}")


def test_a_caption_offers_the_numbers_of_its_figure():
    figure = nbformat.v4.new_output("display_data", {"image/png": "", "text/csv": "x,y\n1,2\n"})
    cell = nbformat.v4.new_code_cell("plt.show()", outputs=[figure], metadata={
        "mystnb": {"figure": {"name": "fig-one", "caption": "One figure."}}})
    nb = nbformat.v4.new_notebook(cells=[cell])
    offered, tables = offer_numbers(nb, Path("book/01_one.ipynb"))
    assert tables == {"01_one-fig-one.csv": "x,y\n1,2\n"} and "text/csv" not in offered.cells[0].outputs[0].data
    assert 'href="../_static/numbers/01_one-fig-one.csv"' in offered.cells[0].metadata.mystnb.figure.caption
    assert nb.cells[0].metadata.mystnb.figure.caption == "One figure.", "the notebook itself stays as it is"
