"""A grid: what it is made of, what it reports, that nothing is done twice or lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest

from mpcl.__main__ import main
from mpcl.data.contract import write
from mpcl.errors import ParameterError
from mpcl.evaluation import results
from mpcl.evaluation.results import evaluate
from mpcl.laboratory import cluster, grid, report, task
from mpcl.locks import claimed
from mpcl.notebook import PROFILES

LIMIT = 300  # s


def notebook(path, source):
    cells = [nbformat.v4.new_code_cell("NUMBER = 0"), nbformat.v4.new_code_cell(source)]
    cells[0].metadata.tags = ["parameters"]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(book, path)


@pytest.fixture
def plan(cohort, tmp_path):
    """A study with two evaluations of two seeds, and a notebook that fails on 1."""
    write(cohort, tmp_path / "study.nc")
    notebook(tmp_path / "odd.ipynb", "print(1 / (1 - NUMBER))")
    path = tmp_path / "grid.yml"
    path.write_text(
        "notebooks:\n"
        "  - {notebook: odd.ipynb, parameters: {NUMBER: [0, 1]}}\n"
        "evaluations:\n"
        "  - {name: study, dataset: study.nc, predictors: [ridge, knn], seeds: 2}\n"
        "retries: 0\n"
    )
    return path


def tasks(path, out):
    return [each for stage in grid.read(path, out).stages for each in stage]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the plan needs keys and values"),
        ("a: [", "is no YAML file"),
        ("books: []", "unknown key 'books'; choose from notebooks, evaluations"),
        ("notebooks: {notebook: a.ipynb}", "must be a list"),
        ("notebooks: [{notebook: a.ipynb}]", "there is no notebook"),
        ("notebooks: [{parameters: {}}]", "entry 1: needs notebook"),
        ("notebooks: [a.ipynb]", "must have keys"),
        ("evaluations: [{name: a, sedes: 3}]", "entry 1: unknown key 'sedes'; choose"),
        (
            "evaluations: [{name: a, seeds: 0}]",
            "seeds must be a whole number from 1 on",
        ),
        ("evaluations: [{name: a, seeds: two}]", "seeds must be a whole number"),
        ("evaluations: [{name: a}, {name: a}]", "have the same name"),
        ("evaluations: [{name: a, predictors: rigde}]", "unknown method 'rigde'"),
        ("evaluations: [{name: a, dataset: b.nc}]", "there is no data set 'b.nc'"),
        ("evaluations: [{name: a, protocol: people}]", "unknown protocol 'people'"),
        ("evaluations: [{name: a, reads: frames}]", "unknown reading 'frames'"),
        ("evaluations: [{name: a, epochs: many}]", "epochs must be a whole number"),
        ("preparations: [{name: wezad, root: .}]", "unknown data set 'wezad'"),
        ("preparations: [{name: wesad, root: b}]", "there is no folder"),
        ("{retries: -1, evaluations: [{name: a}]}", "retries must be a whole number"),
        ("retries: 3", "there is nothing to run"),
        ("a: !!python/object/apply:os.getcwd []", "is no YAML file"),
    ],
)
def test_a_plan_that_is_wrong_is_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "grid.yml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=sentence) as caught:
        grid.read(path, tmp_path / "out")
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_parameter_that_a_notebook_does_not_have_is_refused_before_any_run(tmp_path):
    path = tmp_path / "grid.yml"
    notebook(tmp_path / "odd.ipynb", "print(NUMBER)")
    path.write_text("notebooks: [{notebook: odd.ipynb, parameters: {NUMBRE: 1}}]")
    with pytest.raises(
        ParameterError, match="unknown parameter of odd.ipynb 'NUMBRE'; choose"
    ):
        grid.read(path, tmp_path / "out")
    (tmp_path / "odd.ipynb").write_text("print(1)")
    with pytest.raises(ParameterError, match="odd.ipynb is no notebook"):
        grid.read(path, tmp_path / "out")


def test_what_runs_on_a_prepared_data_set_is_the_same_once_it_is_there(tmp_path):
    path, out = tmp_path / "grid.yml", tmp_path / "out"
    (tmp_path / "wesad").mkdir()
    path.write_text(
        "preparations: [{name: wesad, root: wesad}]\n"
        "evaluations: [{name: a, dataset: wesad.nc, predictors: floors}]\n"
    )
    before = tasks(path, out)[-1]
    assert before.work["dataset"] == str(out / "wesad.nc")
    out.mkdir()
    (out / "wesad.nc").write_bytes(b"prepared")
    assert tasks(path, out)[-1].key == before.key


def test_a_run_is_the_same_until_its_data_its_code_or_its_work_change(plan, tmp_path):
    before = tasks(plan, tmp_path / "out")
    assert len({each.folder for each in before}) == len(before) == 6
    assert [each.key for each in tasks(plan, tmp_path / "out")] == [
        each.key for each in before
    ]
    with open(tmp_path / "study.nc", "ab") as file:
        file.write(b"0")
    notebook(tmp_path / "odd.ipynb", "print(NUMBER)")
    after = tasks(plan, tmp_path / "out")
    assert [each.folder for each in after] == [each.folder for each in before]
    assert not {each.key for each in after} & {each.key for each in before}


def test_one_failed_run_stops_no_other_and_the_same_command_goes_on(
    cohort, plan, tmp_path, capsys
):
    out = tmp_path / "out"
    assert main(["grid", str(plan), "--out", str(out)]) == 1
    lines = capsys.readouterr().out
    assert "[6/6]" in lines and "1 failed" in lines
    folders = [path for path in out.iterdir() if path.is_dir()]
    assert sum((path / task.DONE).exists() for path in folders) == 5
    page = (out / "report.html").read_text()
    assert "<h1>5 done, 1 failed</h1>" in page
    assert "print(1 / (1 - NUMBER))" in page and "ZeroDivisionError" in page

    merged = results.read(out / "study-scores.nc")
    alone = evaluate(
        cohort, ["ridge", "knn"], seeds=(0, 1), settings=PROFILES["full"].settings
    )
    names = list(map(str, merged.predictor.values))
    assert set(names) == set(map(str, alone.predictor.values))
    both = alone.score.sel(predictor=names, seed=merged.seed)
    scored = np.isfinite(both.values)  # floors, that have no seed, at the first one
    assert np.array_equal(merged.score.values[scored], both.values[scored])

    times = {path: path.stat().st_mtime_ns for path in folders}
    notebook(tmp_path / "odd.ipynb", "print(NUMBER)")
    assert main(["grid", str(plan), "--out", str(out)]) == 0
    assert "4 of 6 runs are there already" in capsys.readouterr().out
    kept = [path for path in times if path.name.startswith("study")]
    assert all(path.stat().st_mtime_ns == times[path] for path in kept)
    assert "<h1>6 done</h1>" in (out / "report.html").read_text()


def test_the_second_grid_on_a_folder_is_told(plan, tmp_path, capsys):
    with claimed(tmp_path / "out" / "grid"):
        assert main(["grid", str(plan), "--out", str(tmp_path / "out")]) == 1
    assert "is at work on it" in capsys.readouterr().err


def test_the_job_that_slurm_would_get(plan, tmp_path, capsys):
    with open(plan, "a") as file:
        file.write("slurm: {cores: 4, memory: 16GB, queue: long, gpus: 1, jobs: 10}\n")
    out = tmp_path / "out"
    assert main(["grid", str(plan), "--out", str(out), "--slurm", "--dry-run"]) == 0
    script = capsys.readouterr().out
    for line in ("#SBATCH -p long", "#SBATCH --mem=15G", "#SBATCH --gres=gpu:1"):
        assert line in script
    assert "--resources GPU=1" in script and "study-knn-seeds-0" in script
    assert not out.exists()


def test_slurm_without_its_section_is_one_sentence(plan, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["grid", str(plan), "--out", str(out), "--slurm", "--dry-run"]) == 2
    assert "needs a section slurm" in capsys.readouterr().err
    text = plan.read_text()
    for section, sentence in (
        ("{cores: 4}", "slurm needs memory"),
        ("{cores: 4, memory: 4GB, quue: a}", "unexpected keyword argument 'quue'"),
    ):
        plan.write_text(f"{text}slurm: {section}\n")
        assert main(["grid", str(plan), "--out", str(out), "--slurm", "--dry-run"]) == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--out", "grid.yml"], "grid.yml cannot be a folder of results"),
        (["--out", "out", "--workers", "0"], "--workers must be at least 1"),
        (["--out", "out", "--scheduler", "nowhere"], "no scheduler answers at nowhere"),
    ],
)
def test_a_grid_that_cannot_begin_is_one_sentence(
    plan, options, sentence, monkeypatch, capsys
):
    monkeypatch.chdir(plan.parent)
    assert main(["grid", "grid.yml", *options]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_words_for_a_time():
    assert [report.duration(each) for each in (5, 600, 9000)] == [
        "5 s",
        "10 min",
        "2.5 h",
    ]


def children(pid):
    """Process numbers of all that a process has started."""
    numbers = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            numbers += [int(path.parent.name), *children(int(path.parent.name))]
    return numbers


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_result_is_there_once_whatever_is_killed(cohort, tmp_path):
    write(cohort, tmp_path / "study.nc")
    path, out = tmp_path / "grid.yml", tmp_path / "out"
    path.write_text(
        "evaluations:\n"
        "  - {name: study, dataset: study.nc, predictors: [knn, ridge], seeds: 12}\n"
    )
    seed = random.SystemRandom().randrange(1 << 30)
    chance, kills = random.Random(seed), []
    print(f"seed {seed}")
    command = [sys.executable, "-m", "mpcl", "grid", str(path), "--out", str(out)]
    begun = time.monotonic()
    while True:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as client:
            stop = chance.uniform(15, 40)
            while client.poll() is None and len(kills) < 6:
                time.sleep(chance.uniform(2, 6))
                victims = children(client.pid)
                if time.monotonic() - begun > stop * (1 + len(kills) // 3):
                    victims = [client.pid]
                if victims and client.poll() is None:
                    victim = chance.choice(victims)
                    kills.append(f"{time.monotonic() - begun:.1f} s: {victim}")
                    try:
                        os.kill(victim, signal.SIGKILL)
                    except ProcessLookupError:
                        kills.pop()
            client.wait(timeout=LIMIT)
        print(kills, client.returncode)
        if client.returncode == 0:
            break
        assert time.monotonic() - begun < 2 * LIMIT
    assert kills
    folders = [each for each in out.iterdir() if each.is_dir()]
    assert len(folders) == 24 and all((each / task.DONE).exists() for each in folders)
    scores = results.read(out / "study-scores.nc")
    alone = evaluate(
        cohort, ["knn", "ridge"], seeds=range(12), settings=PROFILES["full"].settings
    )
    alone = alone.score.sel(predictor=scores.predictor, seed=scores.seed)
    scored = np.isfinite(alone.values)
    assert np.array_equal(scores.score.values[scored], alone.values[scored])


def test_workers_here_listen_to_nobody_else():
    with cluster.connected(workers=1) as client:
        address = client.scheduler_info()["address"]
    assert address.startswith("tcp://127.0.0.1:")


def test_the_example_of_the_page_is_a_grid(tmp_path):
    path = Path(__file__).parents[2] / "data" / "grid.yml"
    names = [each.name for each in tasks(path, tmp_path)]
    assert len(names) == 2 + 1 + 2 * 2
    assert grid.read(path, tmp_path).slurm["cores"] == 4
