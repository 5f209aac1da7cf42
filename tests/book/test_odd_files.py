"""Every chapter on eleven small studies that are odd in one way each.

A chapter runs, and its solutions pass; or it ends in one sentence that says what it
needs, where ``NEEDS`` says so. Not every pair of a chapter and a file is run: ``RUN``
names for each chapter the files that can hurt it.
"""

import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from book._make.contents import chapters
from book._make.fresh import code_cells, read_notebook
from mpcl.data import contract
from mpcl.errors import DatasetError
from mpcl.figures.numbers import read_back
from mpcl.notebook import PROFILES

THREE = (("heart", "physiological"), ("eda", "physiological"), ("face", "behavioural"))
FOUR = ("happy", "calm", "sad", "afraid")


def names(values):
    return "window", np.array(values, object)


def study(people=6, clips=4, windows=2, emotions=FOUR, modalities=THREE):
    """A small data set of the contract, whose signals follow what was felt."""
    random, size = np.random.default_rng(0), len(emotions)
    persons = [f"P{n:02}" for n in range(1, people + 1)]
    rows = [(p, c, w) for p in persons for c in range(clips) for w in range(windows)]
    felt = random.dirichlet(np.full(size, 0.7), clips)
    answer = random.dirichlet(np.ones(size), (people, clips)) / 2 + felt / 2
    place = [(persons.index(p), c) for p, c, _ in rows]
    start = np.array([100.0 * c + 30 * w for _, c, w in rows])
    words = "dataset licence citation created_by rating_scale".split()
    dataset = xr.Dataset(
        {"distribution": (("window", "emotion"), answer[*np.transpose(place)])},
        {
            "participant": names([p for p, _, _ in rows]),
            "trial": names([f"{p} {c}" for p, c, _ in rows]),
            "clip": names([f"clip {c}" for _, c, _ in rows]),
            "condition": names([("fun", "stress")[c % 2] for _, c, _ in rows]),
            "start": ("window", start),
            "stop": ("window", start + 30),
            "emotion": np.array(emotions, object),
            "valence": ("emotion", np.resize([1, -1], size)),
        },
        dict.fromkeys(words, "1-5") | {"contract_version": "1", "dataset": "odd"},
    )
    for name, branch in modalities:
        values = felt[[c for _, c, _ in rows]][:, np.arange(3) % size]
        values = values + 0.2 * random.standard_normal(values.shape)
        about = {"branch": branch, "source": "made up"}
        dataset[name] = ("window", f"{name}_feature"), values, about
        dataset.coords[f"{name}_feature"] = ["f1", "f2", "f3"]
        dataset.coords[f"{name}_unit"] = f"{name}_feature", ["1"] * 3
    return dataset


def renamed(dataset, **words):
    """The data set with other names, of each coordinate by its own function."""
    for coordinate, word in words.items():
        old = dataset[coordinate]
        new = np.array([word(str(name)) for name in old.values], object)
        dataset = dataset.assign_coords({coordinate: (old.dims, new)})
    return dataset


def numbers_for_names():
    return renamed(
        study(windows=1),
        participant=lambda name: str(int(name[1:])),
        trial=lambda name: f"{int(name[1:3])}{name[-1]}",
        clip=lambda name: name[-1],
        condition=lambda name: str(len(name)),
        emotion=lambda name: str(FOUR.index(name)),
    )


def one_lacks_the_face():
    dataset = study()
    dataset["face"].values[dataset.participant.values == "P03"] = np.nan
    return dataset


def forty_pleasant_emotions():
    dataset = study(people=4, emotions=[f"emotion {n}" for n in range(40)])
    return dataset.assign_coords(valence=("emotion", np.ones(40, int)))


def signs_in_names():
    emotions = (
        "costs $5 or $6",
        "50 $ \\frac 60 $",
        "Größe_{",
        "<b>c^2</b> *so* | `c`",
    )
    pair = (("größe", "physiological"), ("a_b", "behavioural"))
    people = ["P$1$", "P_{2", "Ümit <i>", "P\\4 | `x`", "P%5 *a* &amp;", "{6} [a](b)"]
    return renamed(
        study(emotions=emotions, modalities=pair),
        participant=lambda name: people[int(name[1:]) - 1],
        trial=lambda name: f"${name}_{{|$",
        clip=lambda name: f"{name} $_{{",
        condition=lambda name: {"fun": "$fun_$", "stress": "{0} <td>"}[name],
    )


def features_that_never_change():
    dataset = study()
    dataset["heart"].values[:] = 3.0
    dataset["face"].values[:, 0] = -1.0
    dataset["eda"].values[:] = np.nan
    return dataset


def labels_that_vary():
    dataset = study(windows=3)
    shape = dataset.distribution.shape
    random = np.random.default_rng(3).dirichlet(np.ones(shape[1]), shape[0])
    dataset["distribution"] = ("window", "emotion"), random
    return dataset


FILES = {
    "two people": lambda: study(people=2),
    "one clip": lambda: study(clips=1),
    "numbers": numbers_for_names,  # and one window a trial
    "one row": lambda: study(people=8, clips=1, windows=1),  # of each person
    "one modality": lambda: study(modalities=THREE[:1]),
    "lacking": one_lacks_the_face,
    "two emotions": lambda: study(emotions=("good", "bad")),
    "forty": forty_pleasant_emotions,
    "signs": signs_in_names,
    "constant": features_that_never_change,
    "varying": labels_that_vary,
}
NEEDS = {  # what a chapter says, in place of running
    ("04", "two people"): "this chapter needs at least 3 participants",
    ("14", "two people"): "this chapter needs at least 3 participants",
    ("14", "one clip"): "this chapter needs at least 2 trials of each participant",
    ("14", "one row"): "this chapter needs at least 2 trials of each participant",
    ("15", "two people"): "this chapter needs at least 4 participants",
}
RUN = {
    "01": ("one row", "one modality", "two emotions", "forty", "signs"),
    "02": ("one clip", "numbers", "one modality", "signs", "varying"),
    "03": ("one row", "numbers", "signs", "varying"),
    "04": ("two people", "one row", "lacking", "signs", "constant", "varying"),
    "05": ("two people", "one modality", "lacking", "signs", "constant"),
    "06": ("two people", "one clip", "numbers", "forty", "signs", "constant"),
    "07": ("two people", "lacking", "two emotions", "signs", "constant"),
    "08": ("two people", "one row", "forty", "signs", "constant", "varying"),
    "09": ("two people", "one row", "forty", "signs", "constant", "varying"),
    "10": ("two people", "one row", "one modality", "two emotions", "signs"),
    "11": ("two people", "one clip", "one row", "signs"),
    "12": ("two people", "one row", "two emotions", "signs"),
    "13": ("two people", "one row", "one modality", "two emotions", "forty", "signs"),
    "14": ("two people", "one clip", "one row", "lacking", "two emotions", "signs"),
    "15": ("two people", "one clip", "numbers", "one modality", "forty", "constant"),
}
PAIRS = [(number, file) for number, files in RUN.items() for file in files]
BRIEF = replace(PROFILES["quick"].settings, epochs=1)  # how well it learns is no matter


def draw():
    """Draw all figures and read their numbers back, as a notebook does."""
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.canvas.draw()
        read_back(figure)
    plt.close("all")


def test_the_files_are_eleven_and_within_the_contract():
    assert len(FILES) == 11
    for make in FILES.values():
        contract.check(make())
    assert {*NEEDS} <= {*PAIRS}
    assert {file for _, file in PAIRS} == {*FILES}
    assert {*RUN} == {path.stem[:2] for path in chapters() if path.stem[0].isdigit()}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "file"), PAIRS, ids=map(" ".join, PAIRS))
def test_a_chapter_runs_or_says_what_it_needs(
    number, file, play, tmp_path, monkeypatch, capsys
):
    (path,) = (each for each in chapters() if each.stem.startswith(number))
    data = contract.write(FILES[file](), tmp_path / "odd.nc")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr("matplotlib.pyplot.show", draw)
    quick = replace(PROFILES["quick"], settings=BRIEF)
    monkeypatch.setitem(PROFILES, "quick", quick)
    run = {"DATASET": str(data), "DEVICE": "cpu"}
    with warnings.catch_warnings(action="ignore"):  # means of nothing, of two people
        if (number, file) in NEEDS:
            with pytest.raises(DatasetError, match=NEEDS[number, file]) as caught:
                play(path, **run)
            assert len(str(caught.value).splitlines()) == 1
            return
        play(path, **run)
    solutions = [
        cell
        for cell in code_cells(read_notebook(path))
        if "solution" in cell.metadata.get("tags", [])
    ]
    assert capsys.readouterr().out.count("Passed.") == len(solutions)
