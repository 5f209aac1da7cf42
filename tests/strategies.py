"""Data sets that nobody thought of: small, odd, and within the contract, or nearly."""

import datetime
import unicodedata
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st

from mpcl.data.contract import modalities
from mpcl.data.storable import is_name, spelling

BRANCHES = st.sampled_from(["physiological", "behavioural"])
MODALITY_NAMES = [
    "heart",
    "eda",
    "head",
    "Größe",
    "脈拍",
    "type",
    "x",
    "a_b",
    "2nd",
    "a-b",
]
COLUMNS = ("noise", "constant", "offset", "tiny", "of the person", "zero or one")
LABELLINGS = ("random", "one-hot", "uniform", "the same for all")
letters = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
names = st.text(letters, min_size=1, max_size=6).filter(is_name)
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.integers(-100, 100).map(np.int8),
    st.floats(width=32).map(np.float32),
)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    words,
    st.binary(max_size=4),
    st.dates(),
    st.just(np.datetime64("2024-05-02")),
    st.just(PurePosixPath("a/b")),
    st.just(np.bool_(True)),
    st.just(1j),
)
attributes = st.recursive(
    atoms | st.just(np.eye(2)) | st.just(np.zeros(9000)) | st.just(["a"] * 5000),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.lists(st.integers(-9, 9), max_size=3).map(tuple)
        | st.sets(st.integers() | words, max_size=2)
    ),
    max_leaves=4,
)


def distinct(count):
    """So many names, of which no two are one in two spellings."""
    return st.lists(names, min_size=count, max_size=count, unique_by=spelling)


@st.composite
def datasets(draw, people=(1, 4), clips=(1, 3)):
    """Data sets of the contract."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    persons = draw(distinct(draw(st.integers(*people))))
    trials = [(person, n) for person in persons for n in range(draw(st.integers(1, 3)))]
    trial_names = draw(distinct(len(trials)))
    watched = draw(distinct(draw(st.integers(*clips))))
    rows = [
        (person, trial, watched[n % len(watched)], n, window)
        for (person, n), trial in zip(trials, trial_names, strict=True)
        for window in range(draw(st.integers(1, 3)))
    ]
    if draw(st.booleans()):
        random.shuffle(rows)
    person, trial, clip, _, window = map(list, zip(*rows, strict=True))
    emotions = draw(distinct(draw(st.integers(2, 4))))
    start = np.array(window) * 30.0
    coords = {
        "participant": ("window", np.array(person, object)),
        "trial": ("window", np.array(trial, object)),
        "clip": ("window", np.array(clip, object)),
        "condition": ("window", np.array(clip, object)),
        "start": ("window", start),
        "stop": ("window", start + 30),
        "emotion": np.array(emotions, object),
        "valence": ("emotion", random.integers(-1, 2, len(emotions))),
    }
    dataset = xr.Dataset({}, coords, attributes_of_the_contract())
    dataset["distribution"] = (
        ("window", "emotion"),
        draw(labels(trial, emotions, random)),
    )
    for name in draw(
        st.lists(st.sampled_from(MODALITY_NAMES), min_size=1, max_size=3, unique=True)
    ):
        put_modality(draw, dataset, name, random)
    for name in draw(st.sets(st.sampled_from([*EXTRAS]), max_size=2)):
        dataset = EXTRAS[name](dataset, random)
    return dataset


def attributes_of_the_contract():
    names = "dataset licence citation rating_scale created_by".split()
    return dict.fromkeys(names, "1-5") | {"contract_version": "1"}


@st.composite
def labels(draw, trial, emotions, random):
    """Distributions (window, emotion); some vary within a trial."""
    kind, varies = draw(st.sampled_from(LABELLINGS)), draw(st.booleans())
    size = len(emotions)
    if kind == "uniform":
        return np.full((len(trial), size), 1 / size)
    if kind == "the same for all":
        return np.tile(random.dirichlet(np.ones(size)), (len(trial), 1))
    label = random.dirichlet(np.ones(size), len(trial))
    if kind == "one-hot":
        label = np.eye(size)[random.integers(size, size=len(trial))]
    return label if varies else label[[trial.index(name) for name in trial]]


def put_modality(draw, dataset, name, random):
    """A modality of one to three features, some of it missing."""
    windows, kinds = (
        dataset.sizes["window"],
        draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3)),
    )
    of_person = np.unique(dataset.participant.values, return_inverse=True)[1]
    noise = random.standard_normal((windows, len(kinds)))
    values = {
        "noise": noise,
        "constant": np.full_like(noise, random.normal()),
        "offset": 1e4 + noise,
        "tiny": 1e-9 * noise,
        "of the person": of_person[:, None] * np.ones_like(noise),
        "zero or one": (noise > 0).astype(float),
    }
    columns = [values[kind][:, place] for place, kind in enumerate(kinds)]
    features = np.stack(columns, 1)
    lost = draw(st.sampled_from(["nothing", "cells", "windows", "a person", "all"]))
    if lost == "cells":
        features[random.random(features.shape) < 0.3] = np.nan
    elif lost == "windows":
        features[random.random(windows) < 0.5] = np.nan
    elif lost == "a person":
        features[of_person == 0] = np.nan
    elif lost == "all":
        features[:] = np.nan
    dtype = draw(st.sampled_from(["f8", "f4", ">f4"]))
    about = {"branch": draw(BRANCHES), "source": draw(attributes)}
    dataset[name] = (("window", f"{name}_feature"), features.astype(dtype), about)
    dataset.coords[f"{name}_feature"] = [f"f{n}" for n in range(len(kinds))]
    dataset.coords[f"{name}_unit"] = (f"{name}_feature", ["1"] * len(kinds))


def quality(dataset, random):
    values = random.random(dataset.sizes["window"])
    return dataset.assign({f"{modalities(dataset)[0]}_quality": ("window", values)})


def rating(dataset, random):
    values = random.integers(1, 6, dataset.distribution.shape).astype(float)
    values[random.random(values.shape) < 0.1] = np.nan
    return dataset.assign(rating=(("window", "emotion"), values))


def numbered(dataset, random):
    """Two files in one, as xr.concat leaves them."""
    return dataset.assign_coords(window=np.arange(dataset.sizes["window"]) // 2)


EXTRAS = {
    "quality": quality,
    "rating": rating,
    "window numbers": numbered,
    "truth": lambda d, r: d.assign(truth_x=("window", r.random(d.sizes["window"]))),
    "comment": lambda d, r: d.assign(comment=("window", ["ä\n"] * d.sizes["window"])),
    "flag": lambda d, r: d.assign(flag=("window", r.random(d.sizes["window"]) > 0.5)),
    "seed": lambda d, r: d.assign_coords(seed=("window", r.random(d.sizes["window"]))),
    "another dimension": lambda d, r: d.assign(tone=(("window", "band"), r.random(
        (d.sizes["window"], 2)))),
    "scalar": lambda d, r: d.assign_coords(device="E4", seed=3),
}  # fmt: skip


@st.composite
def spoilt(draw):
    """Data sets of the contract with one to three things done to them."""
    dataset = draw(datasets())
    for _ in range(draw(st.integers(1, 3))):
        try:
            dataset = draw(st.sampled_from(SPOILERS))(draw, dataset) or dataset
        except (ValueError, TypeError, KeyError, OverflowError):
            pass  # xarray itself does not take it
    return dataset


def set_attribute(draw, dataset):
    keys = st.one_of(
        words,
        st.sampled_from(
            "_FillValue missing_value scale_factor add_offset dtype coordinates units "
            "calendar cohort_seed notes CLASS NAME branch source dataset rating_scale "
            "contract_version".split()
        ),
    )
    values = attributes | st.sampled_from(["seconds", "days since 2000-01-01", 2.0])
    target = draw(st.sampled_from([None, *dataset.variables]))
    attrs = dataset.attrs if target is None else dataset[target].attrs
    attrs[draw(keys)] = draw(values)


def set_variable(draw, dataset):
    """A column of another type, new or in the place of one that is needed."""
    size = dataset.sizes["window"]
    column = draw(st.sampled_from(COLUMN_TYPES))(size)
    places = ["extra", "a b", "c/d", "participant", "trial", "clip", "start", "window"]
    name = draw(st.sampled_from([*places, f"{modalities(dataset)[0]}_quality"]))
    if draw(st.booleans()):
        return dataset.assign_coords({name: ("window", column)})
    return dataset.assign({name: ("window", column)})


def rename(draw, dataset):
    old = draw(st.sampled_from(modalities(dataset)))
    new = draw(words | st.sampled_from(["a b", "a/b", "truth_x", ".", "a.b"]))
    parts = {f"{old}{end}": f"{new}{end}" for end in ("", "_feature", "_unit")}
    return dataset.rename(parts)


def set_names(draw, dataset):
    name = draw(st.sampled_from(["participant", "trial", "clip", "condition"]))
    old = dataset[name].values
    swap = {each: draw(st.text(max_size=3) | st.sampled_from(SPELT)) for each in {*old}}
    new = np.array([swap[each] for each in old], object)
    return dataset.assign_coords({name: ("window", new)})


def set_encoding(draw, dataset):
    name = draw(st.sampled_from([*dataset.variables]))
    dataset[name].encoding = draw(
        st.sampled_from(
            [
                {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -1},
                {"dtype": "S1"},
                {"dtype": "float32"},
                {"zlib": True},
            ]
        )
    )


def set_value(draw, dataset):
    name = draw(st.sampled_from(["distribution", "valence", *modalities(dataset)]))
    values = dataset[name].values.astype(float)
    values.flat[0] = draw(st.floats() | st.sampled_from([9.96921e36, 1e30, 0.5]))
    dataset[name] = dataset[name].copy(data=values)


SPELT = [
    "P01",
    "P1",
    "p1",
    " P1",
    "Zoé",
    unicodedata.normalize("NFD", "Zoé"),
    "P\u200b1",
]
COLUMN_TYPES = [
    lambda n: np.arange(n),
    lambda n: np.arange(n, dtype=complex),
    lambda n: np.arange(n, dtype="f2"),
    lambda n: np.arange(n, dtype=np.longdouble),
    lambda n: np.arange(n) > 0,
    lambda n: np.arange(n).astype("M8[D]"),
    lambda n: np.arange(n).astype("m8[s]"),
    lambda n: np.array(["a", None, np.nan, 1, b"x"] * n, object)[:n],
    lambda n: np.array(["a"] * n),
    lambda n: np.array(["a\0b"] * n, object),
    lambda n: np.array(["\ud800"] * n, object),
    lambda n: np.array(["a"] * n, np.dtypes.StringDType()),
    lambda n: np.array([b"a"] * n),
    lambda n: np.array([datetime.date(2024, 5, 2)] * n, object),
    lambda n: pd.Categorical(["f"] * n),
    lambda n: pd.array(["a"] * n, dtype="string"),
    lambda n: pd.array([1] * n, dtype="Int64"),
    lambda n: pd.MultiIndex.from_product([["a"], range(n)]),
]
SPOILERS = [set_attribute, set_variable, rename, set_names, set_encoding, set_value]
