"""Every chapter runs on other data than its default: what a re-runner does.

Here in this process, without a kernel; the last test does the whole thing.
"""

import subprocess
import sys

import pytest

from book._make.contents import chapters
from book._make.fresh import code_cells, read_notebook
from mpcl.data import contract
from mpcl.evaluation import metrics, results
from mpcl.provenance import ROOT

SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
@pytest.mark.parametrize("branches", ["both", "physiological"])
def test_every_chapter_runs_on_a_contract_file(
    path, branches, cohort, play, tmp_path, monkeypatch
):
    """A study of one's own: no simulated truth, with both branches or with one."""
    truth = [name for name in cohort.variables if str(name).startswith("truth_")]
    dataset = cohort.drop_vars(truth)
    dataset.attrs["dataset"] = "mine"
    if branches != "both":
        dataset = dataset.drop_vars(contract.modalities(dataset, "behavioural"))
    study, out = contract.write(dataset, tmp_path / "mine.nc"), tmp_path / "results.nc"
    monkeypatch.chdir(path.parent)
    names = play(path, DATASET=str(study), SEED=1, DEVICE="cpu", OUT=str(out))
    assert names["run"].dataset == str(study)
    if path.stem not in ("11_results", "12_ablations"):
        assert not out.exists(), "only results are written, and only where OUT says so"
        return
    scored = results.read(out)
    assert set(scored.participant.values) == set(dataset.participant.values)
    assert scored.seed.values.tolist() == [1]
    score = scored.score.sel(reads="trials", metric=list(metrics.SIX))
    mpcl = score.sel(predictor="mpcl")
    assert mpcl.notnull().all()


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="the real recordings (../shared) are not at hand"
)
def test_papermill_on_real_recordings(tmp_path, monkeypatch):
    """The line of the README, on three real participants, floors beside MPCL."""
    people = ["S2", "S5", "S14"]
    tool, recordings = SHARED / "tools" / "build_wesad_root.py", tmp_path / "WESAD"
    make = [sys.executable, tool, recordings, "--subjects", *people]
    subprocess.run(make, check=True, capture_output=True)
    monkeypatch.setenv("MPCL_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", "book/11_results.ipynb", out]
    command += ["-p", "DATASET", "wesad", "-p", "DATA_ROOT", recordings]
    command += ["--no-progress-bar"]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    cells = code_cells(read_notebook(out))
    printed = "".join(str(output) for cell in cells for output in cell.outputs)
    assert "leave-one-participant-out" in printed
    assert "wrist alone: S2, S5, S14" in printed
    for name in [*people, "mean_label", "condition_oracle", "mpcl"]:
        assert f"<th>{name}</th>" in printed
