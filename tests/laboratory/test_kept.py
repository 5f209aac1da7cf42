"""A model is kept, comes back the same in a new process, and says what it rests on."""

import json
import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcl.__main__ import main
from mpcl.data import contract
from mpcl.data.contract import modalities
from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation.networks import Network
from mpcl.files import read_netcdf, write_text
from mpcl.laboratory import kept, predict, recordings
from mpcl.laboratory.cells import Table
from mpcl.laboratory.model import ask, layout_of
from mpcl.laboratory.train import train
from mpcl.normalisation import WAYS, standardise
from mpcl.provenance import ROOT
from mpcl.simulation.cohort import cohort as simulated
from mpcl.training.settings import Settings

FEW = Settings(epochs=3)


@pytest.fixture(scope="module")
def people():
    """Twelve simulated people: eight train, four are new."""
    dataset = simulated(participants=12, clips=6, windows=3, seed=1001)
    is_new = dataset.participant.values >= "P09"
    return dataset.isel(window=~is_new), dataset.isel(window=is_new)


@pytest.fixture(scope="module")
def model(people):
    return train(
        people[0], seeds=2, settings=FEW, device="cpu", protocol="participants"
    )


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return kept.keep(model, tmp_path_factory.mktemp("kept") / "model")


def test_a_modality_that_nobody_has_is_no_part_of_a_model(people):
    study, later = people
    never = study.assign(eda=study["eda"].where(False))
    short = Settings(epochs=1)
    made = train(never, seeds=1, settings=short, device="cpu", protocol="none")
    assert "eda" not in made.modalities
    assert predict.predict(made, later).predicted.notnull().all()


def reordered(dataset, lost="eda"):
    """The recordings with features in another order and a modality missing."""
    random = np.random.default_rng(0)
    order = {
        f"{name}_feature": random.permutation(dataset.sizes[f"{name}_feature"])
        for name in modalities(dataset)
    }
    names = modalities(dataset)[::-1]
    turned = dataset.isel(order).drop_vars([*names, lost])
    for name in names:
        if name != lost:
            turned[name] = dataset[name].isel(
                {f"{name}_feature": order[f"{name}_feature"]}
            )
    return turned


def test_in_a_new_process_the_predictions_are_those_before(
    people, model, folder, tmp_path
):
    """With the features in another order, a modality missing, and no labels."""
    new = reordered(people[1])
    path = recordings.write(new, tmp_path / "new.nc")
    out = tmp_path / "predictions.nc"
    words = ["-m", "mpcl", "predict", str(folder), str(path), "--out", str(out)]
    ran = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "eda is missing everywhere: predicted without it" in ran.stdout
    there = read_netcdf(out)
    here = predict.predict(model, people[1].assign(eda=people[1].eda.where(False)))
    assert np.abs(there.predicted - here.predicted).max() < 1e-9
    assert np.abs(there.energy - here.energy).max() < 1e-9
    assert not there["read"].sel(modality="eda").any()
    assert there.attrs["model"] == kept.load(folder).about["fingerprint"]


@pytest.mark.parametrize("how", WAYS)
def test_it_says_what_its_networks_said_with_their_training_data(people, how):
    settings = Settings(epochs=2, normalisation=how)
    model = train(people[0], seeds=2, settings=settings, device="cpu", protocol="none")
    network = Network(members=2, settings=settings, device="cpu").fit(people[0])
    grouped = contract.trials(people[1])
    wanted = network.predict(people[1])[grouped.first]
    assert np.allclose(predict.predict(model, people[1]).predicted, wanted, atol=1e-9)


@pytest.mark.parametrize("how", WAYS)
def test_a_layout_scales_new_people_as_all_training_windows_do(people, how):
    training, new = people
    names = modalities(training)
    layout = layout_of(training, names, how)
    for test in (new, new.isel(window=[0])):
        wanted = standardise(test, training, how).features
        scaled = standardise(test, layout, how).features
        for name in names:
            assert np.allclose(scaled[name], wanted[name], atol=1e-9)


def test_helo_is_kept_too(people, tmp_path):
    model = train(people[0], "helo", 1, FEW, "cpu", "participants")
    folder = kept.keep(model, tmp_path / "helo")
    said = predict.predict(kept.load(folder), people[1])
    assert np.allclose(said.predicted, predict.predict(model, people[1]).predicted)
    assert said.energy.isnull().all() and said.unfamiliar.isnull().all()
    about = json.loads((folder / "model.json").read_text())
    assert about["own"]["beta"] == 0
    with pytest.raises(ParameterError, match="only mpcl or helo can be kept"):
        train(people[0], "ridge")
    with pytest.raises(ParameterError, match="or participants or none, not 'trials'"):
        train(people[0], protocol="trials")


def test_the_folder_says_what_it_is_and_holds_no_pickle_and_no_label(folder, people):
    about = json.loads((folder / "model.json").read_text())
    assert about["training"]["participants"] == [f"P0{n}" for n in range(1, 9)]
    assert about["training"]["fingerprint"] and about["versions"]["torch"]
    assert about["features"]["eda"]["units"] and about["emotions"]["alert"] == 1
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fU" for name in arrays.files)
    assert read_netcdf(folder / "layout.nc").sizes["window"] == 8  # made up
    card = (folder / "card.md").read_text()
    for words in (
        "CC0-1.0",
        "mean_label",
        "must not be used for",
        "of 8 people were met",
    ):
        assert words in card
    ran = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder)
    assert ran.returncode == 0


@pytest.mark.parametrize("name", [*kept.FILES, "SHA256SUMS"])
def test_an_altered_folder_is_refused(folder, tmp_path, name):
    copied = tmp_path / "model"
    copied.mkdir()
    for path in folder.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    kept.load(copied)
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(DatasetError) as error:
        kept.load(copied)
    assert len(str(error.value).splitlines()) == 1
    (copied / name).unlink()
    with pytest.raises(DatasetError, match="as it was written|no folder that"):
        kept.load(copied)


def test_another_version_or_other_numbers_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(kept.mpcl, "__version__", "0.2.0")
    with pytest.raises(
        DatasetError, match="made with mpcl 0.1.0, and this is mpcl 0.2"
    ):
        kept.load(folder)
    monkeypatch.undo()

    def moved(model, dataset):
        said = ask(model, dataset)
        return said._replace(predicted=said.predicted + 0.001)

    monkeypatch.setattr(kept, "ask", moved)
    with pytest.raises(
        DatasetError, match="answer differently here, a share by 0.0010"
    ):
        kept.load(folder)
    monkeypatch.undo()
    for place, sentence in (
        ("nothing", "no such folder"),
        (".", "no folder that 'mpcl"),
    ):
        with pytest.raises(DatasetError, match=sentence):
            kept.load(tmp_path / place)


def test_a_folder_is_written_whole_and_never_replaced(model, folder, tmp_path):
    with pytest.raises(ParameterError, match="is there, and is not replaced"):
        kept.keep(model, folder)

    def full(*arguments):
        raise OSError(28, "no space left")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "write_netcdf", full)
        with pytest.raises(OSError, match="no space"):
            kept.keep(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


# Recordings.


def test_recordings_need_no_label_and_follow_the_rest_of_the_contract(people, tmp_path):
    new = recordings.checked(people[1])
    assert not {"distribution", "rating", "clip", "condition"} & {*new.variables}
    bare = new.drop_vars(["emotion", "valence"])
    del bare.attrs["rating_scale"]
    path = recordings.write(bare, tmp_path / "new.nc")
    assert contract.fingerprint(recordings.read(path)) == contract.fingerprint(bare)
    assert "no labels" in recordings.summary(bare)
    wrong = bare.copy(deep=True)
    wrong["stop"].values[3] = 0
    wrong["eda"].values[2, 1] = np.inf
    with pytest.raises(DatasetError) as error:
        recordings.checked(wrong)
    assert len(error.value.violations) == 2 and "participant P09" in str(error.value)
    with pytest.raises(DatasetError, match="there is no such file"):
        recordings.read(tmp_path / "nothing.nc")


def renamed(dataset, **changes):
    return dataset.assign_coords(
        {name: (dataset[name].dims, values) for name, values in changes.items()}
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.isel(eda_feature=[0, 1, 2]), "eda lacks SCR"),
        (
            lambda d: renamed(d, head_feature=["pitch", *d.head_feature.values[1:]]),
            "head lacks head pitch; head has pitch, which the model does not know",
        ),
        (
            lambda d: renamed(d, eda_unit=["µS", "1", "1", "1", "1"]),
            "eda SCL is in µS, the model reads 1",
        ),
        (
            lambda d: d.assign(eda=d.eda.assign_attrs(branch="behavioural")),
            "eda is behavioural, to the model physiological",
        ),
        (
            lambda d: renamed(d, emotion=["calm", *d.emotion.values[1:]]),
            "its emotions are .*theirs .*calm",
        ),
        (
            lambda d: d.assign({n: d[n].where(False) for n in modalities(d)}),
            "nothing was measured of eeg, cardiac",
        ),
        (lambda d: d.assign_attrs(contract_version="2"), "this package reads '1'"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_in_one_sentence(
    change, sentence, people, model
):
    with pytest.raises(DatasetError, match=sentence) as error:
        predict.predict(model, change(people[1].copy()))
    assert len(str(error.value).splitlines()) == 1


def test_nobody_s_prediction_depends_on_who_else_is_there(people, model):
    new = people[1]
    everybody = predict.predict(model, new)
    alone = predict.predict(model, new.isel(window=new.participant.values == "P10"))
    same = everybody.sel(trial=alone.trial.values)
    assert np.array_equal(same.predicted, alone.predicted)
    assert np.array_equal(same.energy, alone.energy)


def test_each_prediction_says_what_it_rests_on(people, model):
    training, new = people
    lost = new.copy(deep=True)
    grouped = contract.trials(lost)
    for name in modalities(lost, "behavioural"):
        lost[name].values[grouped.of_window == 0] = np.nan
    for name in modalities(lost):
        lost[name].values[grouped.of_window == 1] = np.nan
    more = lost.eda.rename(eda_feature="gsr_feature").assign_attrs(lost.eda.attrs)
    more = more.drop_vars("eda_unit").assign_coords(
        gsr_unit=("gsr_feature", lost.eda_unit.values)
    )
    said = predict.predict(model, lost.assign(gsr=more))
    assert said["read"][0].sum() == len(modalities(new, "physiological"))
    assert not said["read"][1].any() and np.isnan(said.energy[1])
    assert np.isfinite(said.unfamiliar[2:]).all() and not said.trained_on.any()
    notes = said.attrs["notes"]
    assert "nothing was read in 1 trials" in notes
    assert "gsr was not read: the model does not know it" in notes
    assert np.allclose(said.predicted.sum("emotion"), 1)
    assert "the name of one who trained" not in notes
    again = predict.predict(model, training)
    assert "8 of these participants have the name of one who" in again.attrs["notes"]
    assert again.trained_on.all()
    person = again.participant.values[0]
    other = np.array(
        [f" {name.lower()}" for name in training.participant.values], object
    )
    again = predict.predict(
        model, training.assign_coords(participant=("window", other))
    )
    assert person not in other and again.trained_on.all()
    assert abs(again.unfamiliar.mean() - 0.5) < 0.02  # by its own energy


def test_predictions_are_written_as_netcdf_or_as_a_table(people, model, tmp_path):
    said = predict.predict(model, people[1])
    assert xr.load_dataset(predict.write(said, tmp_path / "p.nc")).equals(said)
    table = pd.read_csv(predict.write(said, tmp_path / "p.csv"))
    assert np.allclose(table.share_alert, said.predicted[:, 0])
    assert table.read[0].startswith("eeg+cardiac")


def test_predictions_replace_nothing_least_of_all_the_recordings(tmp_path):
    path = write_text("recordings", tmp_path / "new.nc")
    with pytest.raises(ParameterError, match="new.nc is there, and is not replaced"):
        predict.from_files("model", path, path)
    assert path.read_text() == "recordings"
    with pytest.raises(ParameterError, match="p.txt: predictions end in .nc or .csv"):
        predict.from_files("model", path, tmp_path / "p.txt")


# Answers of one's own.


def answers_of(dataset, rows):
    grouped = contract.trials(dataset)
    table = pd.DataFrame(dataset.rating.values, columns=dataset.emotion.values)
    table.insert(0, "trial", dataset.trial.values)
    return table.iloc[grouped.first[rows]]


def test_own_answers_correct_their_person_and_nobody_else(people, model, tmp_path):
    new = people[1]
    plain = predict.predict(model, new)
    rows = np.arange(3)  # of P09
    said = predict.predict(model, new, Table("own.csv", answers_of(new, rows)))
    assert said.answered.values.nonzero()[0].tolist() == [0, 1, 2]
    is_theirs = said.participant.values == "P09"
    assert np.array_equal(said.predicted[~is_theirs], plain.predicted[~is_theirs])
    assert np.allclose(said.predicted.sum("emotion"), 1)
    moved = np.abs(said.predicted - plain.predicted)[is_theirs].max()
    assert moved > 1e-4


def test_own_answers_that_do_not_fit(people, model):
    table = answers_of(people[1], np.arange(4)).astype({"trial": object})

    def refusal(error=DatasetError, said_by=model):
        with pytest.raises(error) as caught:
            predict.predict(said_by, people[1], Table("own.csv", table))
        return str(caught.value)

    table.iloc[0, 0], table.iloc[1, 3], table.iloc[2, 1] = "P09-X", np.nan, -1
    table.iloc[3, 0] = table.iloc[2, 0]
    words = refusal()
    assert "own.csv, row 5, column trial: 'P09-C03' was answered in a row" in words
    assert "own.csv, row 2, column trial: 'P09-X' is no trial" in words
    assert "own.csv, row 3, column excited: this is empty" in words
    assert "own.csv, row 4: answers must not be negative" in words
    unscored = train(people[0], seeds=1, settings=FEW, device="cpu", protocol="none")
    assert "was not scored" in refusal(ParameterError, unscored)
    recipe = {**model.about["training"], "label_recipe": "sharp (0.05)"}
    sharp = unscored.__class__(
        **{**vars(model), "about": {**model.about, "training": recipe}}
    )
    assert "shared out in proportion" in refusal(ParameterError, sharp)


# The two commands.


def test_two_commands_train_and_predict_new_people(tmp_path, capsys):
    """Twenty people train, four new ones without labels are predicted."""
    dataset = simulated(participants=24, clips=5, windows=2, seed=1001)
    is_new = dataset.participant.values > "P20"
    contract.write(dataset.isel(window=~is_new), tmp_path / "study.nc")
    recordings.write(dataset.isel(window=is_new), tmp_path / "new.nc")

    def command(words):
        ran = subprocess.run(
            [sys.executable, "-m", "mpcl", *words.split()],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = command("train --dataset study.nc --out model --seeds 3 --device cpu")
    assert "written: model; read model/card.md first" in printed
    printed = command("predict model new.nc --out predictions.nc")
    assert "20 trials of 4 participants" in printed
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 60  # seconds of a processor
    said = read_netcdf(tmp_path / "predictions.nc")
    assert said.sizes["trial"] == 20 and (said.unfamiliar >= 0).all()
    card = (tmp_path / "model" / "card.md").read_text()
    assert "leave-one-participant-out, 20 people" in card
    assert main(["train", "--dataset", "simulated", "--out", str(tmp_path)]) == 2
    assert "is there, and is not replaced" in capsys.readouterr().err
    write_text("a table", tmp_path / "new.csv")
    words = ["predict", str(tmp_path / "model"), str(tmp_path / "new.csv")]
    assert main([*words, "--out", str(tmp_path / "p.nc")]) == 2
    assert "not a readable netCDF4 file" in capsys.readouterr().err
