"""Every chapter runs on other data than its default: what a re-runner does with papermill.

Here in this process, without a kernel; ``test_papermill_on_real_recordings`` does the whole thing.
"""

import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import papermill
import pytest
from papermill.parameterize import parameterize_notebook

from mpcl.data import contract
from mpcl.evaluation import metrics, results

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
SHARED = ROOT.parent / "shared"


def run(path, monkeypatch, **parameters):
    """Run the code cells of a chapter in this process and return their namespace."""
    matplotlib.use("Agg")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: matplotlib.pyplot.close("all"))
    notebook = parameterize_notebook(papermill.iorw.load_notebook_node(str(path)), parameters)
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{path.name}, cell {number}", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("branches", ["both", "physiological"])
def test_every_chapter_runs_on_a_contract_file(path, branches, cohort, tmp_path, monkeypatch):
    """A study of one's own: no simulated truth, with both branches or with one."""
    dataset = cohort.drop_vars([name for name in cohort.variables if str(name).startswith("truth_")])
    dataset.attrs["dataset"] = "mine"
    if branches != "both":
        dataset = dataset.drop_vars(contract.modalities(dataset, "behavioural"))
    study, out = contract.write(dataset, tmp_path / "mine.nc"), tmp_path / "results.nc"
    namespace = run(path, monkeypatch, DATASET=str(study), SEED=1, DEVICE="cpu", OUT=str(out))
    assert namespace["run"].dataset == str(study)
    if path.stem in ("11_results", "12_ablations"):
        scored = results.read(out)
        assert set(scored.participant.values) == set(dataset.participant.values)
        own = scored.score.sel({"method": "mpcl", "metric": list(metrics.SIX)})
        assert scored.seed.values.tolist() == [1] and own.notnull().all()
    else:
        assert not out.exists()  # only results are written, and only where OUT says so


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared) are not at hand")
def test_papermill_on_real_recordings(tmp_path, monkeypatch):
    """The line of the README, on three real participants: a table with all of them, floors beside MPCL."""
    people = ["S2", "S5", "S14"]
    tool = SHARED / "tools" / "build_wesad_root.py"
    subprocess.run([sys.executable, tool, tmp_path / "WESAD", "--subjects", *people], check=True, capture_output=True)
    monkeypatch.setenv("MPCL_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out.ipynb"
    subprocess.run([sys.executable, "-m", "papermill", "book/11_results.ipynb", out, "-p", "DATASET", "wesad", "-p",
                    "DATA_ROOT", tmp_path / "WESAD", "--no-progress-bar"], check=True, cwd=ROOT, capture_output=True)
    said = "".join(str(output) for cell in nbformat.read(out, 4).cells for output in cell.get("outputs", []))
    assert "leave-one-participant-out" in said and "wrist alone: S2, S5, S14" in said
    assert all(f"<th>{name}</th>" in said for name in [*people, "mean_label", "condition_oracle", "mpcl"])
