"""Every way of breaking the contract is found, named with its place, and all at once."""

import numpy as np
import pytest
import xarray as xr

from mpcl.data import contract
from mpcl.data.contract import DatasetError


def broken(change):
    def decorate(cohort):
        dataset = cohort.copy(deep=True)
        return change(dataset) or dataset
    return decorate


def put(dataset, name, index, value):
    values = dataset[name].values.copy()
    values[index] = value
    dataset[name] = dataset[name].copy(data=values)


BREAKS = {
    "no modality": (lambda d: d.drop_vars(contract.modalities(d)), "there is no modality"),
    "no distribution": (lambda d: d.drop_vars("distribution"), "'distribution' (window, emotion) is missing"),
    "no participant": (lambda d: d.drop_vars("participant"), "'participant' along 'window' is missing"),
    "numbers as participants": (lambda d: d.assign_coords(participant=("window", np.arange(d.sizes["window"]))),
                                "'participant' must hold non-empty strings"),
    "unequal sum": (lambda d: put(d, "distribution", (0, 0), 0.9), "must sum to 1: participant P01"),
    "negative share": (lambda d: put(d, "distribution", (0, 0), -0.1), "must not be negative: participant P01"),
    "NaN label": (lambda d: put(d, "distribution", (0, 0), np.nan), "must be finite: participant P01"),
    "infinite feature": (lambda d: put(d, "eda", (3, 0), np.inf), "'eda' must not be infinite: participant P01"),
    "unknown branch": (lambda d: d["eda"].attrs.update(branch="other"), "branch must be physiological or behavioural"),
    "no unit": (lambda d: d.drop_vars("eda_unit"), "'eda_unit' along 'eda_feature' is missing"),
    "doubled feature": (lambda d: d.assign_coords(eda_feature=["a"] * d.sizes["eda_feature"]),
                        "names of its features must differ"),
    "time runs back": (lambda d: put(d, "stop", 0, -1.0), "must stop after it starts: participant P01"),
    "doubled window": (lambda d: put(d, "start", 1, d.start.values[0]), "same trial start at the same time"),
    "shared trial name": (lambda d: d.assign_coords(trial=("window", ["T"] * d.sizes["window"])),
                          "trial T has more than one participant"),
    "valence off": (lambda d: d.assign_coords(valence=("emotion", np.full(d.sizes["emotion"], 2))),
                    "valence must be -1, 0 or +1"),
    "other version": (lambda d: d.attrs.update(contract_version="2"), "this package reads '1'"),
    "no licence": (lambda d: d.attrs.pop("licence") and None, "the attribute 'licence' is missing"),
    "one emotion": (lambda d: d.isel(emotion=[0]), "there are 1 emotions; at least 2 needed"),
    "no window": (lambda d: d.isel(window=[]), "there are 0 windows; at least 1 needed"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_violation_is_named(cohort, name):
    change, sentence = BREAKS[name]
    with pytest.raises(DatasetError) as caught:
        contract.check(broken(change)(cohort))
    assert sentence in str(caught.value)


def test_all_violations_at_once(cohort):
    def change(dataset):
        put(dataset, "distribution", (0, 0), np.nan)
        put(dataset, "eda", (0, 0), np.inf)
        del dataset.attrs["licence"]

    with pytest.raises(DatasetError) as caught:
        contract.check(broken(change)(cohort))
    assert len(caught.value.violations) == 3


def test_what_is_allowed(cohort):
    dataset = cohort.copy(deep=True)
    put(dataset, "eda", 0, np.nan)
    put(dataset, "cardiac", (1, 0), np.nan)
    assert contract.check(dataset) is dataset
    assert bool(contract.missing(dataset).sel(modality="eda")[0])
    assert not bool(contract.missing(dataset).sel(modality="cardiac")[1])
    assert "partly in 1" in contract.summary(dataset)


def test_write_and_read_give_the_same(cohort, tmp_path):
    path = contract.write(cohort, tmp_path / "sub" / "cohort.nc")
    again = contract.read(path)
    xr.testing.assert_equal(again, cohort)
    assert contract.fingerprint(again) == contract.fingerprint(cohort)
    assert [p.name for p in path.parent.iterdir()] == ["cohort.nc"]


def test_nothing_is_written_when_the_contract_is_broken(cohort, tmp_path):
    with pytest.raises(DatasetError):
        contract.write(cohort.drop_vars("distribution"), tmp_path / "cohort.nc")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_the_old_file(cohort, tmp_path, monkeypatch):
    path = contract.write(cohort, tmp_path / "cohort.nc")
    before = path.read_bytes()

    def stop(self, target, **options):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.Dataset, "to_netcdf", stop)
    with pytest.raises(KeyboardInterrupt):
        contract.write(cohort, path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [None, b"", b"not netCDF", b"\x89HDF\r\n\x1a\n cut short"])
def test_unreadable_files_end_in_one_sentence(tmp_path, content):
    path = tmp_path / "file.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        contract.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_fingerprint_sees_every_value(cohort):
    changed = cohort.copy(deep=True)
    put(changed, "eda", (-1, -1), 0.123)
    renamed = cohort.assign_coords(participant=("window", ["X" + name for name in cohort.participant.values]))
    assert len({contract.fingerprint(d) for d in (cohort, changed, renamed)}) == 3
