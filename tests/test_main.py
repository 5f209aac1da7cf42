"""The command line: it does the job, and bad input is one line on standard error."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from mpcl.__main__ import main
from mpcl.data import contract
from mpcl.evaluation import results
from mpcl.files import write_netcdf
from mpcl.provenance import ROOT


@pytest.fixture(scope="module")
def study(cohort, tmp_path_factory):
    return contract.write(cohort, tmp_path_factory.mktemp("study") / "study.nc")


def test_inspect_evaluate_and_table(study, tmp_path, capsys):
    out = tmp_path / "results.nc"
    assert main(["inspect", str(study)]) == 0
    assert "5 participants" in capsys.readouterr().out
    assert evaluate(study, out, "mpcl", "--seeds", "2") == 0
    first = capsys.readouterr().out
    assert "mean_label" in first and "mpcl" in first and "2 seeds" in first

    def table(*words):
        code = main(["table", str(out), *words])
        return code, *capsys.readouterr()

    assert "trial level" in table("--level", "trial")[1]
    assert "P05" in table("--participants", "kl")[1]
    assert "P05" in table("--participants", "kl", "--protocol", "participants")[1]
    assert "mixed_auroc" in table("--metrics", "all", "--protocol", "participants")[1]
    code, shown, _ = table("--differences", "mpcl")
    assert code == 0 and "minus mpcl, family by Holm" in shown
    lines = [*first.splitlines(), *shown.splitlines()]
    rows = [line for line in lines if line.startswith(("uniform", "motion_", "mpcl"))]
    assert rows and max(map(len, rows)) <= 100
    for words, sentence in (
        (["--differences", "mcpl"], "mcpl: no complete set of scores"),
        (["--metrics", "mse"], "unknown metric 'mse'"),
        (["--participants", "mse"], "unknown metric 'mse'"),
        (["--protocol", "clips"], "unknown protocol 'clips'; choose"),
    ):
        code, _, error = table(*words)
        assert code == 2 and sentence in error and error.count("\n") == 1
    before = out.read_bytes()
    assert evaluate(study, out, "mpcl", "--seeds", "2") == 0  # nothing is left to do
    assert out.read_bytes() == before


def evaluate(study, out, *words):
    """One epoch on the processor; the floors are always among the methods."""
    command = (
        f"evaluate --dataset {study} --out {out} --epochs 1 --device cpu --methods"
    )
    return main([*command.split(), *words])


def test_a_run_is_compared_with_the_one_that_it_should_reproduce(
    study, tmp_path, capsys
):
    mine, theirs, longer = (tmp_path / f"{n}.nc" for n in ("mine", "theirs", "longer"))
    assert evaluate(study, mine, "ridge", "mpcl", "--seeds", "2") == 0
    assert evaluate(study, theirs, "ridge", "mpcl") == 0
    capsys.readouterr()
    assert main(["compare", str(mine), str(theirs)]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("reproduced: 7 predictors within 0.0005\n")
    row = next(line for line in printed.splitlines() if line.startswith("mpcl "))
    assert row.split()[1] == "1"  # one seed in common
    changed = results.read(theirs)
    changed.score.loc[{"predictor": "mpcl", "metric": "kl"}] += 0.002
    write_netcdf(changed, theirs)
    assert main(["compare", str(mine), str(theirs)]) == 1
    shown = capsys.readouterr()
    assert "-0.002000" in shown.out
    assert shown.err == "mpcl: not reproduced within 0.0005: mpcl\n"
    assert main(["compare", str(mine), str(theirs), "--tolerance", "0.003"]) == 0
    settings = json.loads(changed.settings) | {"epochs": 2}
    write_netcdf(changed.assign_attrs(settings=json.dumps(settings)), longer)
    assert main(["compare", str(mine), str(longer)]) == 2
    sentence = "two evaluations, not one run twice: another settings"
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["inspect", "nothing.nc"], "nothing.nc: there is no such file"),
        (
            ["inspect", "wesda"],
            "unknown data set 'wesda'; choose simulated, simulated-blends",
        ),
        (["inspect", "wesad"], "wesad needs the folder of its official files"),
        (["inspect", "wesad", "--root", "/nowhere/WESAD"], "/nowhere/WESAD"),
        (["inspect", "simulated", "--recipe", "all24"], "unknown option 'recipe'"),
        (["fetch", "wesda"], "unknown data set 'wesda'"),
        (
            ["fetch", "wesad", "--root", "."],
            "to fetch it on these terms, add --root FOLDER --accept-licence",
        ),
        (["fetch", "wesad", "--accept-licence"], "add --root FOLDER"),
        (
            ["prepare", "dmer", "--out", "d.nc"],
            "dmer needs the folder of its official files",
        ),
        (
            ["inspect", "wesad", "--root", ".", "--features", "table160"],
            "unknown choice 'table160'",
        ),
        (["evaluate", "--methods", "mcpl", "--out", "r.nc"], "unknown method 'mcpl'"),
        (
            ["evaluate", "--methods", "all", "mcpl", "--out", "r.nc"],
            "unknown method 'mcpl'",
        ),
        (
            ["evaluate", "--protocol", "windows", "--out", "r.nc"],
            "unknown protocol 'windows'",
        ),
        (["evaluate", "--seeds", "0", "--out", "r.nc"], "--seeds must be at least 1"),
        (
            ["evaluate", "--cohorts", "0", "--out", "r.nc"],
            "--cohorts takes a number from 1 on",
        ),
        (
            ["evaluate", "--people", "8", "--out", "r.nc"],
            "--people is the size of simulated cohorts",
        ),
        (
            ["evaluate", "--protocol", "trials", "leaky-windows", "--out", "r.nc"],
            "end it in -leak.nc",
        ),
        (["evaluate", "--epochs", "0", "--out", "r.nc"], "epochs must be at least 1"),
        (["evaluate", "--device", "gpu", "--out", "r.nc"], "unknown device 'gpu'"),
        (
            ["evaluate", "--normalisation", "none", "--out", "r.nc"],
            "normalisation must be",
        ),
        (["evaluate", "--out", "."], "is a folder"),
        (["table", "nothing.nc"], "nothing.nc: there is no such file"),
    ],
)
def test_bad_input_is_one_line(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err and captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_simulated_cohorts_are_evaluated_side_by_side(tmp_path, monkeypatch, capsys):
    small = {"participants": 2, "clips": 2, "windows": 2}
    monkeypatch.setattr("mpcl.simulation.cohort.BENCHMARK", small)
    out = tmp_path / "r-leak.nc"
    command = "evaluate --cohorts 2 --protocol participants leaky-windows --device cpu"
    words = [*command.split(), "--methods", "floors", "ridge", "--out", str(out)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "2 cohorts of 2 participants" in shown and "not applicable" in shown
    assert "leaky-windows, trial level" in shown
    scored = results.read(out).score.sel(predictor="ridge", metric="kl")
    assert scored.sel(reads="trials").notnull().all()


def test_a_predictor_of_ones_own_is_evaluated_beside_the_floors(
    study, tmp_path, monkeypatch, capsys
):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    mine = re.search(r"(?m)^    class Mine:\n(?:        .+\n)+", readme)
    (tmp_path / "my_module.py").write_text(textwrap.dedent(mine.group()))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    words = ["evaluate", "--dataset", str(study), "--methods", "my_module:Mine"]
    assert main([*words, "--out", str(tmp_path / "r.nc")]) == 0
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line}
    assert rows["Mine"] == rows["mean_label"]  # all trials have two windows
    assert main([*words, "--renew", "--out", str(tmp_path / "r.nc")]) == 0


def test_help_names_every_command_and_nothing_heavy_is_loaded():
    code = """
import sys
from mpcl.__main__ import main
try:
    main(["--help"])
finally:
    heavy = {"torch", "xarray", "numpy", "pandas", "matplotlib", "sklearn"}
    print("loaded:", sorted(heavy & sys.modules.keys()))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.endswith("loaded: []\n")
    for name in ("fetch", "prepare", "inspect", "evaluate", "table", "compare", "lab"):
        assert f"\n    {name} " in ran.stdout


def test_an_unknown_command_is_one_line_and_no_traceback():
    ran = subprocess.run(
        [sys.executable, "-m", "mpcl", "evalute"], capture_output=True, text=True
    )
    assert (
        ran.returncode == 2 and ran.stderr.count("\n") == 1 and "evalute" in ran.stderr
    )


def test_a_results_file_is_not_a_data_set(study, tmp_path, capsys):
    assert main(["table", str(study)]) == 2
    assert "this is no results file" in capsys.readouterr().err


def test_prepare_writes_a_contract_file_that_opens_like_the_data_set(tmp_path, capsys):
    out = tmp_path / "new" / "cohort.nc"
    assert (
        main(["prepare", "simulated", "--out", str(out)]) == 0
        and f"written: {out}" in capsys.readouterr().out
    )
    assert main(["inspect", "simulated"]) == 0
    printed = capsys.readouterr().out
    assert (
        main(["inspect", str(out)]) == 0
        and capsys.readouterr().out == printed
        and "fingerprint" in printed
    )


def test_a_folder_of_dmer_is_checked(tmp_path, capsys):
    assert main(["fetch", "dmer", "--root", str(tmp_path)]) == 0
    assert f"In {tmp_path}:" in capsys.readouterr().out


def test_terms_are_shown_first_and_nothing_is_fetched_without_consent(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    main(["fetch", "wesad", "--root", "."])
    printed = capsys.readouterr().out
    assert (
        "2,249,444,501 bytes" in printed
        and "no redistribution" in printed
        and "third party" in printed
    )
    for name, part in (
        ("simulated", "nothing to fetch"),
        ("dmer", "signed agreement"),
        ("dmer-sample", "EmotionDict"),
    ):
        assert main(["fetch", name]) == 0 and part in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_what_was_fetched_is_checked_again_and_a_broken_transfer_is_a_failed_run(
    tmp_path, capsys
):
    fetch = [
        "fetch",
        "wesad",
        "--root",
        str(tmp_path),
        "--accept-licence",
        "--url",
        "http://127.0.0.1:9/none",
    ]
    if shutil.disk_usage(tmp_path).free > 20e9:
        assert main(fetch) == 1 and "the transfer broke" in capsys.readouterr().err
    (tmp_path / "WESAD" / "S2").mkdir(parents=True)
    (tmp_path / "WESAD" / "S2" / "S2.pkl").write_bytes(b"1")
    (tmp_path / "WESAD" / "SHA256SUMS").write_text(
        hashlib.sha256(b"1").hexdigest() + "  S2/S2.pkl\n"
    )
    assert (
        main(fetch) == 0
        and f"give {tmp_path / 'WESAD'} as DATA_ROOT" in capsys.readouterr().out
    )
    (tmp_path / "WESAD" / "S2" / "S2.pkl").write_bytes(b"2")
    assert main(fetch) == 2 and "SHA256SUMS" in capsys.readouterr().err


def test_an_invalid_study_says_all_that_is_wrong_in_one_line(cohort, tmp_path, capsys):
    path = write_netcdf(
        cohort.drop_vars(["distribution", "eda_unit"]), tmp_path / "bad.nc"
    )
    assert main(["inspect", str(path)]) == 2
    error = capsys.readouterr().err
    assert (
        error.count("\n") == 1
        and "2 violations" in error
        and "eda_unit" in error
        and "distribution" in error
    )


def test_prepare_replaces_no_other_data_set(study, tmp_path, capsys):
    out = tmp_path / "mine.nc"
    shutil.copy(study, out)
    before = out.read_bytes()
    other = contract.read(study).assign_attrs(dataset="other")
    assert main(["prepare", str(study), "--out", str(out)]) == 0  # the same again
    path = contract.write(other, tmp_path / "other.nc")
    capsys.readouterr()
    assert main(["prepare", str(path), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "mine.nc: this is there, and holds simulated: choose another name" in error
    assert contract.read(out).identical(contract.read(study)) and before


def test_two_commands_at_once_on_one_file(study, tmp_path, capsys):
    from mpcl.locks import claimed

    for words in (["prepare", str(study)], ["train", "--dataset", str(study)]):
        with claimed(tmp_path / "out.nc"):
            assert main([*words, "--out", str(tmp_path / "out.nc")]) == 1
        error = capsys.readouterr().err
        assert "is at work on it" in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home_folder(study, tmp_path, monkeypatch, capsys):
    """Of ``--out=~/file`` no shell makes anything else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(study, tmp_path / "study.nc")
    assert main(["prepare", "~/study.nc", "--out=~/made.nc"]) == 0
    assert (tmp_path / "made.nc").is_file() and capsys.readouterr().out


def test_a_trial_that_is_a_copy_is_noted(study, tmp_path, capsys):
    dataset = contract.read(study)
    names = [*dataset.trial.values, "P09-a", "P09-a"]
    rows = [*range(dataset.sizes["window"]), 0, 1]
    again = dataset.isel(window=rows).assign_coords(trial=("window", names))
    contract.write(again, tmp_path / "twice.nc")
    assert main(["inspect", str(tmp_path / "twice.nc")]) == 0
    printed = capsys.readouterr().out
    assert "and P09-a have the same numbers: is one a copy?" in printed
    assert main(["inspect", str(study)]) == 0
    assert "a copy" not in capsys.readouterr().out
