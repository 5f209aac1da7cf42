"""Files and choices that mean harm, or are damaged: one sentence, nothing executed.

Archives, pickles and netCDF have tests beside their readers; this is what is left.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("mpcl", "book/_make", "book/_ext", "data/make")
# what runs text or bytes that somebody else may have written
RUNS = {"eval", "exec", "compile", "__import__"}
LOADS = {("pickle", "load"), ("pickle", "loads"), ("yaml", "load"), ("torch", "load")}
LOADS |= {("pd", "read_pickle"), ("pandas", "read_pickle"), ("os", "system")}
# the students' own code and the cells of one's own notebooks; what comes of the first
# is run in a process of its own (mpcl/teaching/processes.py)
MAY_RUN = {"mpcl/teaching", "book/_make", "book/_ext"}
OWN = {"data/make/bench.py pickle.load"}  # of what it wrote itself, as the rival


def calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node, ("", node.func.id)
            elif isinstance(node.func, ast.Attribute):
                owner = node.func.value
                name = owner.id if isinstance(owner, ast.Name) else ""
                yield node, (name, node.func.attr)


def test_no_line_executes_what_a_file_says():
    harmful = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for call, (owner, function) in calls(path):
                runs = not owner and function in RUNS
                shell = any(keyword.arg == "shell" for keyword in call.keywords)
                allowed = name.startswith(tuple(MAY_RUN)) and runs
                allowed |= f"{name} {owner}.{function}" in OWN
                if (runs or shell or (owner, function) in LOADS) and not allowed:
                    harmful.append(f"{name}:{call.lineno} {owner}.{function}")
    assert not harmful


def mpcl(*arguments, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPCL_CACHE": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "mpcl", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env=environment,
    )


@pytest.fixture
def harmful(tmp_path):
    """A folder of things that no reader expects."""
    (tmp_path / "loop.nc").symlink_to("loop.nc")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "S2").symlink_to("../root")
    (tmp_path / "two\nlines.nc").write_text("text")
    long = tmp_path / "long" / "S2"
    long.mkdir(parents=True)
    (long / "S2_quest.csv").write_text("# Subj;S2\n# ORDER;" + "A" * 400_000 + "\n")
    (long / "S2.pkl").write_bytes(b"\x80\x02}.")
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="links and names of POSIX")
@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "loop.nc"),
        ("inspect", "two\nlines.nc"),
        ("prepare", "wesad", "--root", "root", "--out", "made.nc"),
        ("prepare", "wesad", "--root", "loop.nc", "--out", "made.nc"),
        ("prepare", "wesad", "--root", "long", "--out", "made.nc"),
        ("prepare", "wesad", "--root", "../" * 40 + "etc", "--out", "made.nc"),
    ],
    ids=["link loop", "newline", "folder loop", "root loop", "long field", "outside"],
)
def test_what_no_reader_expects_is_one_sentence(harmful, arguments):
    names = {path.name for path in harmful.iterdir()}
    paths = [
        harmful / each if each in names or each.startswith(("..", "made")) else each
        for each in arguments
    ]
    ran = mpcl(*paths, folder=harmful / "cache")
    assert ran.returncode and "Traceback" not in ran.stderr
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("mpcl: ") and len(last) < 500
    assert {path.name for path in harmful.iterdir()} - {"cache"} == names


def test_parameters_are_values_and_never_run(tmp_path):
    """Papermill writes them as literals; a chapter refuses one that is no choice."""
    from nbclient.exceptions import CellExecutionError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    proof = tmp_path / "proof"
    code = f"simulated\"); open({str(proof)!r}, 'w'); print(\""
    with pytest.raises((PapermillExecutionError, CellExecutionError)) as caught:
        execute_notebook(
            ROOT / "book" / "01_mixed_emotions.ipynb",
            tmp_path / "out.ipynb",
            parameters={"DATASET": code},
            cwd=ROOT / "book",
            progress_bar=False,
        )
    assert "unknown data set" in str(caught.value)
    assert not proof.exists()
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    injected = [
        cell
        for cell in cells
        if "injected-parameters" in cell["metadata"].get("tags", ())
    ]
    values = [
        node.value
        for cell in injected
        for node in ast.walk(ast.parse("".join(cell["source"])))
        if isinstance(node, ast.Assign)
    ]
    assert [ast.literal_eval(value) for value in values] == [code]
