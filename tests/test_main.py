"""The command line: it does the job, and bad input is one line on standard error."""

import hashlib
import shutil
import subprocess
import sys

import pytest

from mpcl.__main__ import main
from mpcl.data import contract
from mpcl.evaluation import results


@pytest.fixture(scope="module")
def study(cohort, tmp_path_factory):
    return contract.write(cohort, tmp_path_factory.mktemp("study") / "study.nc")


def test_inspect_evaluate_and_table(study, tmp_path, capsys):
    out = tmp_path / "results.nc"
    assert main(["inspect", str(study)]) == 0
    assert "5 participants" in capsys.readouterr().out
    evaluate = ["evaluate", "--dataset", str(study), "--methods", "mpcl", "--seeds", "2", "--epochs", "1",
                "--device", "cpu", "--out", str(out)]
    assert main(evaluate) == 0
    first = capsys.readouterr().out
    assert "mean_label" in first and "mpcl" in first and "2 seeds" in first
    assert main(["table", str(out), "--level", "trial"]) == 0
    assert "trial level" in capsys.readouterr().out
    assert main(["table", str(out), "--participants", "kl"]) == 0
    assert "P05" in capsys.readouterr().out
    assert main(["table", str(out), "--metrics", "all", "--protocol", "participants"]) == 0
    assert "mixed_auroc" in capsys.readouterr().out
    assert main(["table", str(out), "--differences", "mpcl"]) == 0
    shown = capsys.readouterr().out
    assert "minus mpcl, family by Holm" in shown
    tables = (first + shown).splitlines()
    assert max(len(line) for line in tables if line.startswith(("uniform", "motion_only", "mpcl"))) <= 100
    for words, sentence in ((["--differences", "mcpl"], "mcpl: no complete set of scores"),
                            (["--metrics", "mse"], "unknown metric 'mse'"), (["--protocol", "clips"], "no protocol")):
        assert main(["table", str(out), *words]) == 2
        assert sentence in capsys.readouterr().err
    before = out.read_bytes()
    assert main(evaluate) == 0  # everything is there already
    assert out.read_bytes() == before


def test_a_run_is_compared_with_the_one_that_it_should_reproduce(study, tmp_path, capsys):
    mine, theirs, longer = (tmp_path / f"{name}.nc" for name in ("mine", "theirs", "longer"))
    for out, words in ((mine, ["--seeds", "2"]), (theirs, []), (longer, ["--epochs", "2"])):
        assert main(["evaluate", "--dataset", str(study), "--methods", "ridge", "mpcl", "--epochs", "1", "--device",
                     "cpu", "--out", str(out), *words]) == 0
    capsys.readouterr()
    assert main(["compare", str(mine), str(theirs)]) == 0
    told = capsys.readouterr().out
    assert told.endswith("reproduced: 7 methods within 0.0005\n")
    assert next(line for line in told.splitlines() if line.startswith("mpcl ")).split()[1] == "1"  # one seed in common
    changed = results.read(theirs)
    changed.score.loc[{"method": "mpcl", "metric": "kl"}] += 0.002
    contract.write_netcdf(changed, theirs)
    assert main(["compare", str(mine), str(theirs)]) == 1
    shown = capsys.readouterr()
    assert "-0.002000" in shown.out and shown.err == "mpcl: not reproduced within 0.0005: mpcl\n"
    assert main(["compare", str(mine), str(theirs), "--tolerance", "0.003"]) == 0
    assert main(["compare", str(mine), str(longer)]) == 2
    assert "two evaluations, not one run twice: another settings" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "sentence"), [
    (["inspect", "nothing.nc"], "nothing.nc: there is no such file"),
    (["inspect", "wesda"], "unknown data set 'wesda'; choose simulated, simulated-raw, wesad"),
    (["inspect", "wesad"], "wesad needs the folder of its official files"),
    (["inspect", "wesad", "--root", "/nowhere/WESAD"], "/nowhere/WESAD"),
    (["inspect", "simulated", "--recipe", "all24"], "unknown option 'recipe'"),
    (["fetch", "wesda"], "unknown data set 'wesda'"),
    (["fetch", "wesad", "--root", "."], "to fetch it on these terms, add --root FOLDER --accept-licence"),
    (["fetch", "wesad", "--accept-licence"], "add --root FOLDER"),
    (["prepare", "dmer", "--out", "d.nc"], "dmer needs the folder of its official files"),
    (["inspect", "wesad", "--root", ".", "--features", "table160"], "unknown choice 'table160'"),
    (["evaluate", "--methods", "mcpl", "--out", "r.nc"], "unknown method 'mcpl'"),
    (["evaluate", "--methods", "all", "mcpl", "--out", "r.nc"], "unknown method 'mcpl'"),
    (["evaluate", "--protocol", "windows", "--out", "r.nc"], "unknown protocol 'windows'"),
    (["evaluate", "--seeds", "0", "--out", "r.nc"], "--seeds must be at least 1"),
    (["evaluate", "--cohorts", "0", "--out", "r.nc"], "--cohorts takes a number from 1 on"),
    (["evaluate", "--people", "8", "--out", "r.nc"], "--people is the size of simulated cohorts"),
    (["evaluate", "--protocol", "trials", "leaky-windows", "--out", "r.nc"], "end it in -leak.nc"),
    (["evaluate", "--epochs", "0", "--out", "r.nc"], "epochs must be at least 1"),
    (["evaluate", "--device", "gpu", "--out", "r.nc"], "unknown device 'gpu'"),
    (["evaluate", "--normalisation", "none", "--out", "r.nc"], "normalisation must be"),
    (["evaluate", "--out", "."], "is a folder"),
    (["table", "nothing.nc"], "nothing.nc: there is no such file"),
])
def test_bad_input_is_one_line(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err and captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_simulated_cohorts_are_evaluated_side_by_side(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mpcl.data.simulated.BENCHMARK", {"participants": 2, "clips": 2, "windows": 2})
    out = tmp_path / "r-leak.nc"
    assert main(["evaluate", "--cohorts", "2", "--protocol", "participants", "leaky-windows", "--methods", "floors",
                 "ridge", "--device", "cpu", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "2 cohorts of 2 participants" in shown and "leaky-windows, window level" in shown
    assert results.read(out).score.sel({"method": "ridge", "metric": "kl"}).notnull().all()
    assert "not applicable" in shown


def test_an_unknown_command_is_one_line_and_no_traceback():
    ran = subprocess.run([sys.executable, "-m", "mpcl", "evalute"], capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and "evalute" in ran.stderr


def test_a_results_file_is_not_a_data_set(study, tmp_path, capsys):
    assert main(["table", str(study)]) == 2
    assert "this is no results file" in capsys.readouterr().err


def test_prepare_writes_a_contract_file_that_opens_like_the_data_set(tmp_path, capsys):
    out = tmp_path / "new" / "cohort.nc"
    assert main(["prepare", "simulated", "--out", str(out)]) == 0 and f"written: {out}" in capsys.readouterr().out
    assert main(["inspect", "simulated"]) == 0
    told = capsys.readouterr().out
    assert main(["inspect", str(out)]) == 0 and capsys.readouterr().out == told and "fingerprint" in told


def test_a_folder_of_dmer_is_checked(tmp_path, capsys):
    assert main(["fetch", "dmer", "--root", str(tmp_path)]) == 0
    assert f"In {tmp_path}:" in capsys.readouterr().out


def test_terms_are_shown_first_and_nothing_is_fetched_without_consent(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["fetch", "wesad", "--root", "."])
    told = capsys.readouterr().out
    assert "2,249,444,501 bytes" in told and "no redistribution" in told and "third party" in told
    for name, part in (("simulated", "nothing to fetch"), ("dmer", "signed agreement"), ("dmer-sample", "EmotionDict")):
        assert main(["fetch", name]) == 0 and part in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_what_was_fetched_is_checked_again_and_a_broken_transfer_is_a_failed_run(tmp_path, capsys):
    fetch = ["fetch", "wesad", "--root", str(tmp_path), "--accept-licence", "--url", "http://127.0.0.1:9/none"]
    if shutil.disk_usage(tmp_path).free > 20e9:
        assert main(fetch) == 1 and "the transfer broke" in capsys.readouterr().err
    (tmp_path / "WESAD" / "S2").mkdir(parents=True)
    (tmp_path / "WESAD" / "S2" / "S2.pkl").write_bytes(b"1")
    (tmp_path / "WESAD" / "SHA256SUMS").write_text(hashlib.sha256(b"1").hexdigest() + "  S2/S2.pkl\n")
    assert main(fetch) == 0 and f"give {tmp_path / 'WESAD'} as DATA_ROOT" in capsys.readouterr().out
    (tmp_path / "WESAD" / "S2" / "S2.pkl").write_bytes(b"2")
    assert main(fetch) == 2 and "SHA256SUMS" in capsys.readouterr().err


def test_an_invalid_study_says_all_that_is_wrong_in_one_line(cohort, tmp_path, capsys):
    path = contract.write_netcdf(cohort.drop_vars(["distribution", "eda_unit"]), tmp_path / "bad.nc")
    assert main(["inspect", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "2 violations" in error and "eda_unit" in error and "distribution" in error
