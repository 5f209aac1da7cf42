"""What every chapter imports: parameters are checked by name, and torch stays away."""

import os
import subprocess
import sys

import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from mpcl.data import contract
from mpcl.errors import DatasetError, ParameterError
from mpcl.notebook import PARAMETERS, PROFILES, kept, start

GOOD = {
    "DATASET": "simulated",
    "DATA_ROOT": None,
    "PROFILE": "quick",
    "SEED": 3,
    "DEVICE": "cpu",
    "OUT": None,
}
CELL = "\n".join(f"{name} = {value!r}  # a comment" for name, value in GOOD.items())
FIRST = """
from mpcl.evaluation.metrics import SIX
from mpcl.notebook import start
WIDTH, KINDS = 3, ["ridge"]
run = start(globals())
"""


@pytest.fixture
def threads():
    before, environment = torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    os.environ["OMP_NUM_THREADS"] = environment


def execute(*cells, parameters=None):
    """What a notebook of these cells holds in the end, or its error."""
    new = [nbformat.v4.new_code_cell(cell, metadata={"tags": []}) for cell in cells]
    new[0].metadata.tags = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=new)
    notebook.metadata.update(
        papermill={}, kernelspec={"name": "python3", "language": "python"}
    )
    if parameters is not None:
        notebook = parameterize_notebook(notebook, parameters)
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    for cell in notebook.cells:
        shell.run_cell(cell.source, store_history=True).raise_error()
    return shell.user_ns


def test_good_parameters_give_a_run():
    ipython = {"__name__": "__main__", "In": [], "Out": {}, "_i": "", "start": start}
    run = start({**GOOD, **ipython})
    assert run.seeds == [3] and run.root is None
    assert run.settings is PROFILES["quick"].settings
    assert run.with_settings(epochs=2).epochs == 2
    assert run.open().sizes["window"] == 1920 and "device cpu" in run.footer()


def test_a_chapter_may_import_and_define_constants():
    space = execute(CELL, "import math\nLIMIT = 3", FIRST)
    assert space["run"].seeds == [3] and len(space["SIX"]) == 6
    space = execute(CELL, FIRST, parameters={"SEED": 7, "DATA_ROOT": "/data/WESAD"})
    assert space["run"].seeds == [7] and space["run"].root == "/data/WESAD"


@pytest.mark.parametrize("name", ["PROFIL", "dataset", "WIDTH"])
def test_what_papermill_injects_must_be_a_parameter(name, capsys):
    with pytest.raises(ParameterError, match=f"unknown parameter '{name}'; choose"):
        execute(CELL, FIRST, parameters={"SEED": 7, name: "full"})


def test_a_mistake_in_the_parameters_cell_is_found_and_forgotten_once_mended(capsys):
    wrong = CELL + "\nPROFIL = 'full'"
    with pytest.raises(ParameterError, match="unknown parameter 'PROFIL'"):
        execute(wrong, FIRST)
    assert execute(wrong, "words = {'one': 1}", CELL, FIRST)["run"].profile == "quick"


def test_a_cell_may_be_run_again():
    assert execute(CELL, FIRST, "dataset = 3\nname = 'x'", FIRST)["run"].seeds == [3]


def test_the_quick_profile_computes_with_one_thread_and_the_full_one_with_all(threads):
    start({**GOOD, "PROFILE": "full"})
    assert torch.get_num_threads() == 2
    start(GOOD)
    assert torch.get_num_threads() == 1


def test_a_chapter_without_networks_loads_no_torch():
    """And where torch comes later, it finds one thread for the quick profile."""
    code = f"""
import sys
from mpcl.notebook import kept, start, verdict
run = start({ {**GOOD, "DEVICE": "auto"} })
run.open(), run.footer()
assert "torch" not in sys.modules
import torch
assert torch.get_num_threads() == 1, torch.get_num_threads()
"""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"DATASTE": "wesad"}, "unknown parameter 'DATASTE'"),
        ({"dataset": "wesad"}, "unknown parameter 'dataset'"),
        ({"DATASET": 3}, "DATASET must be text, not 3"),
        ({"DATA_ROOT": 3}, "DATA_ROOT must be text or None, not 3"),
        ({"OUT": ""}, "OUT must be text or None, not ''"),
        ({"PROFILE": "fast"}, "unknown PROFILE 'fast'; choose quick or full"),
        ({"PROFILE": ["quick"]}, "PROFILE must be text"),
        ({"SEED": -1}, "SEED must be a whole number"),
        ({"SEED": True}, "SEED must be a whole number"),
        ({"DEVICE": "tpu3"}, "unknown device 'tpu3'"),
        ({"DEVICE": None}, "DEVICE must be text"),
    ],
)
def test_bad_parameters_end_in_one_sentence(change, sentence):
    with pytest.raises(ParameterError, match=sentence) as caught:
        start({**GOOD, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_missing_parameter_is_named(name):
    with pytest.raises(ParameterError, match=f"'{name}' is missing"):
        start({key: value for key, value in GOOD.items() if key != name})


def test_a_results_file_is_there_or_none(tmp_path, monkeypatch):
    assert "score" in kept("simulated-plain-benchmark.nc")
    assert kept("nothing.nc") is None
    monkeypatch.setattr("mpcl.notebook.RESULTS", tmp_path)
    (tmp_path / "half.nc").write_bytes(b"half")
    with pytest.raises(DatasetError, match="not a readable netCDF4 file"):
        kept("half.nc")


def test_a_chapter_says_what_it_needs(cohort, tmp_path):
    path = contract.write(cohort, tmp_path / "mine.nc")
    run = start(GOOD | {"DATASET": str(path)})
    assert run.open(people=5, trials=6).sizes == cohort.sizes
    with pytest.raises(DatasetError, match="at least 6 participants, and .* have 5"):
        run.open(people=6)
    with pytest.raises(DatasetError, match="7 trials of each participant, and P.* 6"):
        run.open(trials=7)
