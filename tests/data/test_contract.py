"""Every way of breaking the contract is told with its place, and all at once."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcl.data import contract
from mpcl.errors import DatasetError
from mpcl.evaluation.metrics import mixed_windows


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
    "no modality": (
        lambda d: d.drop_vars(contract.modalities(d)),
        "there is no modality",
    ),
    "no distribution": (
        lambda d: d.drop_vars("distribution"),
        "'distribution' (window, emotion) is missing",
    ),
    "no participant": (
        lambda d: d.drop_vars("participant"),
        "'participant' along 'window' is missing",
    ),
    "numbers as participants": (
        lambda d: d.assign_coords(participant=("window", np.arange(d.sizes["window"]))),
        "'participant' must hold non-empty strings",
    ),
    "unequal sum": (
        lambda d: put(d, "distribution", (0, 0), 0.9),
        "must sum to 1: participant P01",
    ),
    "negative share": (
        lambda d: put(d, "distribution", (0, 0), -0.1),
        "must not be negative: participant P01",
    ),
    "NaN label": (
        lambda d: put(d, "distribution", (0, 0), np.nan),
        "must be finite: participant P01",
    ),
    "infinite feature": (
        lambda d: put(d, "eda", (3, 0), np.inf),
        "'eda' must not be infinite or beyond 1e+30",
    ),
    "unknown branch": (
        lambda d: d["eda"].attrs.update(branch="other"),
        "branch must be physiological or behavioural",
    ),
    "no unit": (
        lambda d: d.drop_vars("eda_unit"),
        "'eda_unit' along 'eda_feature' is missing",
    ),
    "doubled feature": (
        lambda d: d.assign_coords(eda_feature=["a"] * d.sizes["eda_feature"]),
        "names of its features must differ",
    ),
    "time runs back": (
        lambda d: put(d, "stop", 0, -1.0),
        "must stop after it starts: participant P01",
    ),
    "doubled window": (
        lambda d: put(d, "start", 1, d.start.values[0]),
        "same trial start at the same time",
    ),
    "shared trial name": (
        lambda d: d.assign_coords(trial=("window", ["T"] * d.sizes["window"])),
        "trial T has more than one participant",
    ),
    "valence off": (
        lambda d: d.assign_coords(valence=("emotion", np.full(d.sizes["emotion"], 2))),
        "valence must be -1, 0 or +1",
    ),
    "other version": (
        lambda d: d.attrs.update(contract_version="2"),
        "this package reads '1'",
    ),
    "no licence": (
        lambda d: d.attrs.pop("licence") and None,
        "the attribute 'licence' is missing",
    ),
    "one emotion": (
        lambda d: d.isel(emotion=[0]),
        "there are 1 emotions; at least 2 needed",
    ),
    "quality of each feature": (
        lambda d: d.assign(eda_quality=d.eda * 0 + 0.5),
        "'eda_quality' must hold one number a window",
    ),
    "quality as text": (
        lambda d: d.assign(eda_quality=("window", ["good"] * d.sizes["window"])),
        "'eda_quality' must hold one number a window",
    ),
    "one quality for all": (
        lambda d: d.assign(eda_quality=0.9),
        "'eda_quality' must hold one number a window",
    ),
    "ratings as text": (
        lambda d: d.assign(rating=d.distribution.astype(str)),
        "'rating' must hold finite numbers",
    ),
    "transposed labels": (
        lambda d: d.assign(distribution=d.distribution.transpose()),
        "must have the dimensions (window, emotion), not (emotion, window); transpose",
    ),
    "a fill value": (
        lambda d: put(d, "eda", (3, 0), 9.96921e36),
        "'eda' must not be infinite or beyond 1e+30",
    ),
    "a blank in a name": (
        lambda d: d.rename(eda="skin conductance"),
        "the name 'skin conductance' cannot be written: use letters",
    ),
    "a slash in a name": (
        lambda d: d.rename(eda="eda/scr"),
        "the name 'eda/scr' cannot be written: use letters",
    ),
    "a modality that is never learned from": (
        lambda d: d.rename(
            {f"eda{end}": f"truth_eda{end}" for end in ("", "_feature", "_unit")}
        ),
        "names that begin with 'truth_'",
    ),
    "no feature": (
        lambda d: d.isel(eda_feature=[]),
        "modality 'eda' has no feature",
    ),
    "categories": (
        lambda d: d.assign(sex=("window", pd.Categorical(["f"] * d.sizes["window"]))),
        "'sex' must hold numbers or text alone, not category",
    ),
    "text that is missing": (
        lambda d: d.assign(
            note=("window", np.array([None] * d.sizes["window"], object))
        ),
        "'note' must hold numbers or text alone, not NoneType",
    ),
    "dates": (
        lambda d: d.assign_coords(day=np.datetime64("2024-05-02", "ns")),
        "'day' must hold numbers or text alone, not datetime64[ns]",
    ),
    "an attribute that acts on values": (
        lambda d: d["eda"].attrs.update(scale_factor=2.0),
        "'eda': the attribute 'scale_factor' changes what is read",
    ),
    "a cohort without a number": (
        lambda d: d.attrs.update(cohort_seed="first"),
        "'cohort_seed' must be a whole number, not 'first'",
    ),
    "a name of two lines": (
        lambda d: d.assign_coords(emotion=["a\nb", *d.emotion.values[1:]]),
        "'emotion' must hold non-empty strings of one line",
    ),
    "no window": (
        lambda d: d.isel(window=[]),
        "there are 0 windows; at least 1 needed",
    ),
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


@pytest.mark.parametrize(
    "content", [None, b"", b"not netCDF", b"\x89HDF\r\n\x1a\n cut short"]
)
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
    renamed = cohort.assign_coords(
        participant=("window", ["X" + name for name in cohort.participant.values])
    )
    double = cohort.assign(eda=cohort.eda.astype("f8"))
    swapped = cohort[[*reversed(list(cohort.data_vars))]]
    datasets = (cohort, changed, renamed, double, swapped)
    assert len({contract.fingerprint(dataset) for dataset in datasets}) == 5


def test_fingerprint_sees_the_scale_that_decides_which_trials_are_mixed(cohort):
    wider = cohort.assign_attrs(rating_scale="1-9")
    shares = {float(mixed_windows(dataset).mean()) for dataset in (cohort, wider)}
    assert len(shares) == 2
    assert contract.fingerprint(cohort) != contract.fingerprint(wider)


def test_fingerprint_sees_every_attribute(cohort):
    prints = {contract.fingerprint(cohort)}
    for value in ("1", 1, 1.5, None, [1, 2], [2, 1], [[1], [2, 3]], {"a": 1}):
        prints.add(contract.fingerprint(cohort.assign_attrs(note=value)))
    for name in ("eda", "emotion", "distribution"):
        other = cohort.copy()
        other[name] = cohort[name].assign_attrs(note="x")
        prints.add(contract.fingerprint(other))
    assert len(prints) == 12


def test_fingerprint_takes_words_apart():
    first, second = (
        xr.Dataset({"name": ("window", values)})
        for values in (["a\0b", "c"], ["a", "b\0c"])
    )
    assert contract.fingerprint(first) != contract.fingerprint(second)


def test_fingerprint_outlives_a_file_whatever_the_types(cohort, tmp_path):
    attrs = {
        "number": 1,
        "share": 0.1,
        "nan": np.nan,
        "short": np.float32(0.1),
        "word": "ä\n",
        "empty": "",
        "alone": [2.5],
        "array": np.array([3]),
        "words": ["a", "b"],
        "word alone": ["a"],
        "grid": np.eye(2),
    }
    dataset = cohort.assign_attrs(attrs).assign(
        flag=("window", np.arange(cohort.sizes["window"]) > 3),
        small=("window", np.arange(cohort.sizes["window"], dtype=">i2")),
    )
    dataset["eda"].attrs |= attrs
    again = contract.read(contract.write(dataset, tmp_path / "a.nc"))
    assert contract.fingerprint(again) == contract.fingerprint(dataset)
    assert contract.fingerprint(dataset.copy(deep=True)) == contract.fingerprint(again)


def test_summary_counts(cohort):
    dataset = cohort.copy(deep=True)
    for name in contract.modalities(dataset):
        put(dataset, name, slice(0, 2), np.nan)
    put(dataset, "eda", slice(None), np.nan)
    text = contract.summary(dataset.assign_attrs(notes="first\n\nsecond"))
    assert "5 participants, 30 trials, 60 windows, 10 emotions" in text
    assert "features): missing everywhere, partly in 0" in text
    assert "2 windows have no modality at all" in text
    assert text.endswith("note: first\n  note: second")


def test_a_file_of_another_kind_is_not_replaced(cohort, tmp_path):
    mine = tmp_path / "mine.nc"
    xr.Dataset({"score": ("x", [1.0])}).to_netcdf(mine, engine="h5netcdf")
    (tmp_path / "text.nc").write_text("mine too")
    for path in (mine, tmp_path / "text.nc"):
        before = path.read_bytes()
        with pytest.raises(DatasetError, match="no contract file; choose another"):
            contract.write(cohort, path)
        assert path.read_bytes() == before
    contract.write(cohort, contract.write(cohort, tmp_path / "COHORT.NC"))


@pytest.mark.parametrize("name", ["cohort", "cohort.csv", "cohort."])
def test_a_name_that_could_not_be_opened_again_is_told(cohort, tmp_path, name):
    with pytest.raises(DatasetError, match="a contract file ends in .nc; call it"):
        contract.write(cohort, tmp_path / name)
    assert not list(tmp_path.iterdir())


SPELT = ["P01", "P1", "p01", " P01", "P01 ", "P\u200b01"]


@pytest.mark.parametrize("other", SPELT[1:])
@pytest.mark.parametrize("coordinate", ["participant", "trial", "clip"])
def test_one_name_in_two_spellings_is_told(cohort, other, coordinate):
    names = cohort[coordinate].values.astype(object)
    first, second = [*dict.fromkeys(names)][:2]
    names[names == first], names[names == second] = "P01", other
    renamed = cohort.assign_coords({coordinate: ("window", names)})
    both = " and ".join(map(ascii, sorted(["P01", other])))
    with pytest.raises(DatasetError) as caught:
        contract.check(renamed)
    assert f"{coordinate} {both} may be one in two spellings" in str(caught.value)


def test_labels_that_vary_within_a_trial_are_noted(cohort):
    assert "labels vary" not in contract.summary(cohort)
    varying = cohort.copy(deep=True)
    varying.distribution.values[0] = np.eye(10)[0]
    assert "labels vary within 1 trials" in contract.summary(varying)
