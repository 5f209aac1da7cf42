"""The committed chapters: whole, fresh, clean, described, and with checked parameters.

What nbval does not see is tested here: outputs that were stripped, edited, or are older
than the code.
"""

import json
import re
from pathlib import Path

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from book._make.chapters import execute
from book._make.contents import chapters
from book._make.fresh import (
    clean,
    code_cells,
    named_files,
    read_data,
    read_notebook,
    stale,
    text_of,
)
from mpcl.provenance import ROOT

CHAPTERS = chapters()
PARAMETERS = {"DATASET", "DATA_ROOT", "PROFILE", "SEED", "DEVICE", "OUT"}
REMEDY = "run `make refresh`"
MINUS_ZERO = re.compile(r"(?<![\w.])[-−](0?\.0+|0)(?![\w.])")
each = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


@each
def test_fresh(path):
    reasons = "; ".join(stale(path))
    assert not reasons, f"{path.name}: {reasons}; {REMEDY}"


@each
def test_clean(path):
    raw = path.read_text(encoding="utf-8")
    assert text_of(clean(read_notebook(path))) == raw, (
        f"{path.name} holds ids, times or other metadata; {REMEDY}"
    )
    assert len(raw.encode()) < 1_500_000, (
        f"{path.name} is over 1.5 MB: draw less, or smaller figures; then {REMEDY}"
    )


@each
def test_shows_no_minus_before_zero(path):
    """Such as -0.00: of what rounds to zero the sign says nothing (format ``z``)."""
    outputs = [o for cell in code_cells(read_notebook(path)) for o in cell.outputs]
    for output in outputs:
        data = output.get("data", {})
        texts = [str(data[kind]) for kind in data if kind.startswith("text/")]
        found = MINUS_ZERO.search("\n".join([output.get("text", ""), *texts]))
        assert not found, f"{path.name}: {found}; {REMEDY}"


@each
def test_shows_no_warning_and_no_path(path):
    outputs = [o for cell in code_cells(read_notebook(path)) for o in cell.outputs]
    warned = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not warned, (
        f"{path.name} writes to standard error: {warned[0][:200]!r}; "
        f"mend the cause, then {REMEDY}"
    )
    text = json.dumps([o.get("text", o.get("data", {})) for o in outputs])
    places = (str(ROOT), f"{Path.home()}/", "/tmp/", "ipykernel_")
    assert [place for place in places if place in text] == [], (
        f"{path.name} shows a path of one machine; print names instead, then {REMEDY}"
    )


@each
def test_figures_are_described(path):
    for cell in code_cells(read_notebook(path)):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            words = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(words) > 20, (
                f"{path.name}, {cell.id}: the figure needs mystnb metadata "
                "{image: {alt: ...}}"
            )


@each
def test_one_cell_of_parameters(path):
    cells = read_notebook(path).cells
    tagged = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1, f"{path.name} needs one cell with the tag 'parameters'"
    assert set(papermill.inspect_notebook(str(path))) == PARAMETERS


def test_every_notebook_is_in_the_table_of_contents():
    notebooks = (ROOT / "book").rglob("*.ipynb")
    kept = [path for path in notebooks if ".ipynb_checkpoints" not in path.parts]
    assert sorted(kept) == sorted(CHAPTERS)


# What they depend on ------------------------------------------------------------------


def cells_of(path):
    return [cell.source for cell in code_cells(read_notebook(path))]


@each
def test_a_chapter_depends_on_no_file_that_its_cells_do_not_name(path):
    """Once the word "results" in one module made each of them read every file."""
    code = "\n".join(cells_of(path))
    for file in read_data(path):
        start = file.stem.rpartition("-")[0] or file.stem  # of a glob or an f-string
        assert file.name in code or f"{start}-" in code or f'"{file.stem}"' in code


def test_a_results_file_stales_only_the_chapters_that_name_it():
    changed = ROOT / "data" / "results" / "earlier" / "earlier-wesad-all26-five.nc"
    readers = {path.stem for path in CHAPTERS if changed in read_data(path)}
    naming = {p.stem for p in CHAPTERS if changed.name in "\n".join(cells_of(p))}
    assert "11_results" in readers == naming


def test_chapters_see_their_files():
    names = {path.stem: {f.name for f in read_data(path)} for path in CHAPTERS}
    assert names["04_associative_memory"] == {"simulated.nc"}
    assert {"wesad-all24-five-leak.nc"} < names["03_honest_evaluation"]
    assert {"training-cpu.nc"} < names["10_training"]
    assert {
        "simulated-plain-benchmark.nc",
        "wesad-all24-five.nc",
        "wesad-all24-three-table159.nc",
        "tuning-simulated.csv",
        "family.yml",
    } < names["11_results"]
    assert {
        "simulated-plain-benchmark.nc",
        "wesad-all24-five.nc",
        "family.yml",
        "renewed.csv",
        "formulations.csv",
    } < names["12_ablations"]


def test_every_results_file_that_a_chapter_names_is_there():
    for path in CHAPTERS:
        for cell in cells_of(path):
            if "kept(" in cell:
                assert named_files([cell], ROOT), f"{path.name}: {cell[:60]}"


def test_a_chapter_depends_on_the_modules_that_it_loads():
    modules = {
        path.stem: read_notebook(path).metadata.get("mpcl", {}).get("modules", [])
        for path in CHAPTERS
    }
    assert "mpcl.model.compression" in modules["09_semantic_compression"]
    # chapter 4 counts on the network itself who asks the memory
    for name in ("01_mixed_emotions", "02_signals"):
        assert "mpcl.notebook" in modules[name]
        assert "mpcl.model.network" not in modules[name], f"{name} loads the network"


# Parameters ---------------------------------------------------------------------------

WRONG = pytest.mark.parametrize(
    "wrong",
    [
        {"DATASETT": "simulated"},
        {"DATASET": "no such data"},
        {"PROFILE": "medium"},
        {"DEVICE": "abacus"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)


def beginning(path, to):
    """A copy of a chapter up to the cell that opens its data."""
    notebook = read_notebook(path)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and ".open(" in cell.source:
            notebook.cells = notebook.cells[: number + 1]
            to.write_text(text_of(notebook), encoding="utf-8")
            return to
    raise AssertionError(f"{path.name} opens no data")


def check_sentence(error, wrong):
    ((name, value),) = wrong.items()
    assert (value if name in PARAMETERS else name) in error, "it names what is wrong"
    assert "\n" not in error.strip(), "one sentence"


@pytest.mark.slow
@each
@WRONG
def test_wrong_parameters_are_refused_in_one_sentence(
    path, wrong, play, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    start, names = beginning(path, tmp_path / path.name), {}
    with pytest.raises(ValueError) as caught:
        play(start, namespace=names, **wrong)
    check_sentence(str(caught.value), wrong)
    assert "run" not in names or "DATASET" in wrong, (
        "the check is the first cell after the parameters"
    )
    assert list(tmp_path.iterdir()) == [start], "nothing else is written"


def test_papermill_refuses_a_wrong_name(tmp_path):
    wrong = {"DATASETT": "simulated"}
    start = beginning(CHAPTERS[0], tmp_path / CHAPTERS[0].name)
    with pytest.raises(PapermillExecutionError) as caught:
        execute(start, tmp_path / "out.ipynb", **wrong)
    check_sentence(caught.value.evalue, wrong)
