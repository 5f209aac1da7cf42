from pathlib import Path

import pytest
import xarray as xr
import yaml

from mpcl.data import catalogue, contract
from mpcl.data.catalogue import open_dataset
from mpcl.errors import DatasetError, ParameterError
from mpcl.simulation import cohort as simulated
from mpcl.simulation import wesad_twin


def test_the_embedded_cohort_is_the_default_cohort(monkeypatch):
    embedded = open_dataset("simulated")
    monkeypatch.setattr(
        catalogue, "EMBEDDED", Path("not there")
    )  # as when installed from a wheel
    xr.testing.assert_allclose(open_dataset("simulated"), embedded)


def test_options_and_files(cohort, tmp_path):
    xr.testing.assert_identical(
        open_dataset("simulated", participants=5, clips=6, windows=2, seed=7), cohort
    )
    path = contract.write(cohort, tmp_path / "mine.nc")
    xr.testing.assert_equal(open_dataset(str(path)), cohort)
    xr.testing.assert_equal(open_dataset(path), cohort)


def test_a_file_that_must_not_be_read_is_a_sentence(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    root = wesad_twin.write_twin(tmp_path / "wesad", ["S5"], chest=False)
    monkeypatch.setattr("mpcl.data.checksums.sha256", refuse)
    with pytest.raises(DatasetError, match="S5_quest.csv: this cannot be read .Perm"):
        open_dataset("wesad", root)


def test_a_contract_file_in_pieces(cohort, tmp_path):
    path = contract.write(cohort, tmp_path / "mine.nc")
    lazy = open_dataset(path, chunks={"window": -1})
    assert not lazy.eda.variable._in_memory
    xr.testing.assert_equal(lazy.load(), cohort)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (
            ("dmer2",),
            {},
            "unknown data set 'dmer2'; choose simulated, .*, or give the path",
        ),
        (("wesad",), {}, "wesad needs the folder"),
        (("dmer",), {}, "dmer needs the folder"),
        (
            ("dmer-sample",),
            {},
            "dmer-sample needs the folder of data_feature_sample.mat",
        ),
        (("simulated-raw", "/data"), {}, "needs no folder"),
        (("simulated", "/data"), {}, "needs no folder"),
        (
            ("simulated",),
            {"people": 3},
            "simulated: unknown option 'people'; choose from participants, clips",
        ),
        (("nothing.nc",), {"seed": 1}, "takes no options"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_sentence(arguments, options, sentence):
    with pytest.raises(ParameterError, match=sentence) as caught:
        open_dataset(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_no_choice_but_missing_data():
    with pytest.raises(DatasetError, match="nothing.nc: there is no such file"):
        open_dataset("nothing.nc")
    with pytest.raises(DatasetError, match="no such folder"):
        open_dataset("wesad", "no/such")


def test_a_twin_opens_as_the_real_one_would(tmp_path):
    wesad_twin.write_twin(tmp_path, ["S14"], seed=1, chest=False)
    dataset = open_dataset("wesad", tmp_path, conditions="three", cache=False)
    assert set(dataset.trial.values) == {"S14-baseline", "S14-stress", "S14-amusement"}


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_loader_is_there_and_tells_its_options(name, tmp_path):
    with pytest.raises(
        ParameterError, match=f"{name}: unknown option 'colour'; choose from [a-z]"
    ):
        open_dataset(name, tmp_path if name in catalogue.NEEDS else None, colour="red")


def test_the_catalogue_file_knows_every_data_set():
    entries = yaml.safe_load((catalogue.EMBEDDED.parent / "catalogue.yml").read_text())
    assert list(catalogue.NAMES) == list(entries)
    assert all(
        {"title", "licence", "citation", "access"} <= set(entry)
        for entry in entries.values()
    )
    assert (
        catalogue.EMBEDDED.parent / entries["simulated"]["files"][0]
    ) == catalogue.EMBEDDED
    assert (
        simulated.cohort(participants=1, clips=1, windows=1).attrs["licence"]
        == entries["simulated"]["licence"]
    )


def test_a_twin_never_bears_the_name_of_the_real_data(tmp_path):
    from mpcl.simulation.wesad_twin import write_twin

    write_twin(tmp_path / "twin", participants=["S2"], chest=False)
    assert open_dataset("wesad", tmp_path / "twin").attrs["dataset"] == "wesad-twin"
    (tmp_path / "TWIN.txt").write_text("simulated")
    (tmp_path / "twin" / "TWIN.txt").unlink()
    assert open_dataset("wesad", tmp_path / "twin").attrs["dataset"] == "wesad-twin"


def test_a_contract_file_takes_no_folder(tmp_path):
    path = contract.write(
        open_dataset("simulated", participants=2, clips=2), tmp_path / "a.nc"
    )
    with pytest.raises(ParameterError, match="a.nc needs no folder; leave out"):
        open_dataset(path, tmp_path)
