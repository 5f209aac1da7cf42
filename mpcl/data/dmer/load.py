"""DMER (Yang et al., Scientific Data 11:847, 2024): released files in, data set out.

DMER is given on request to those who sign an agreement, and nobody here may hold it:
**this reader has never been run on the real files**, but on files laid down by hand and
by a writer from their published description. One real excerpt is public, and
:func:`mpcl.data.dmer.sample.open_sample` is tested on it. What is *read* in a source
(the data descriptor, the programs of its authors) and what is *inferred* is said at
each place.

Three forms were released (*read*), and any is enough together with the ratings:

* ``features`` (Features.zip): ``<id>.mat`` with ``feas`` (n, 913), a row a second from
  the fifth second of a trial on, and the video id of each row in ``vids``;
* ``aligned`` (Aligned_data.zip): ``<id>/datas.mat`` with the signals of all trials, and
  the clips of the face;
* ``raw`` (Raw_data.zip): ``<id>/<id>/`` with questionnaires and wristband,
  ``<id>/sub<id>/`` with the EEG.

**The ratings** lie in the raw release only, ``<id>/<id>/Panas.csv``: the video id and
ten answers a line, lines in the order of presentation. Labels are rating / sum of the
ten, joined on the video id. A trial is a clip: 0-7 positive, 8-15 negative, 16-31
mixed, which is its ``condition``. EEG, GSR and PPG are physiological, the face is
behavioural.
"""

from pathlib import Path

import xarray as xr
from tqdm import tqdm

from mpcl.data import contract, labels
from mpcl.data.dmer.dataset import attributes, join
from mpcl.data.dmer.features_form import add_columns, features_form, read_rows
from mpcl.data.dmer.questionnaires import questionnaires, top_of_scale
from mpcl.data.dmer.release import (
    ASK,
    FOLDERS,
    PARTICIPANTS,
    Place,
    absent,
    find,
    panas_file,
)
from mpcl.data.dmer.signals import aligned_form, raw_form
from mpcl.errors import DatasetError, ParameterError

LENGTH = {"features": 5.0, "aligned": 10.0, "raw": 10.0}  # s of a window


def open_dmer(
    root: str | Path,
    form: str | None = None,
    ratings: str | Path | None = None,
    pool: float | None = None,
    scale: str | None = None,
    missing: str = "error",
    progress: bool | None = None,
) -> xr.Dataset:
    """Load DMER from one of its released forms.

    Args:
        root: the folder that holds ``Features``, ``Aligned_data`` or ``Raw_data`` or
            their contents, or the ``.zip`` files, which are read packed.
        form: ``features``, ``aligned`` or ``raw``; by default the first that is there.
        ratings: the folder of the raw release, for its ``Panas.csv`` files; by default
            looked for in ``root``.
        pool: seconds of a window; by default 5 for features (a row looks back over five
            seconds, so rows in between add little but size) and 10 for signals (shorter
            ones hold too few heart beats). What is left over at the end of a trial is
            dropped. ``pool=1`` keeps each row of features.
        scale: ``1-5`` or ``1-9``; by default told from the answers. The descriptor says
            1-9, its program 1-5.
        missing: a clip without answers is an ``error``, or its trial is left out
            (``drop``).
        progress: True or False for a bar or silence; by default a bar on a terminal.

    Returns:
        A data set with ``rating (window, emotion)``. ``start`` and ``stop`` count from
        the start of the *trial*. The face is that of the released features (LBP-TOP),
        which the other forms take where the features form lies beside. Features of your
        own, of the films ``Aligned_data/<id>/<clip>.mp4``, are added to what is
        returned by :func:`mpcl.data.windowing.as_modality`.

    Raises:
        DatasetError: naming file, line or clip, and what to do.
        ParameterError: for an unknown choice.

    Example:
        >>> open_dmer("no/such/folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mpcl.errors.DatasetError: no/such/folder: there is no such folder or archive ...
    """
    root = Path(root)
    _check_choices(form, scale, missing)
    places = {kind: find(root, kind) for kind in FOLDERS}
    what = f"the {form} form" if form else "any released form"
    form = form or next((kind for kind in FOLDERS if places[kind]), "features")
    if not places[form]:
        raise DatasetError(f"{what} of DMER is not in here; {ASK}", root)
    length = float(LENGTH[form] if pool is None else pool)
    if not length >= 1:
        raise ParameterError(f"dmer: pool must be at least one second, not {length:g}")
    asked = questionnaires(ratings or root, places[form], missing)
    top, notes = top_of_scale(asked, scale)
    notes += asked.attrs["notes"]
    silent = None if progress is None else not progress
    parts = [
        _read(form, places, number, length)
        for number in tqdm(places[form], desc="dmer", disable=silent)
    ]
    notes += [note for part in parts for note in part.attrs["notes"]]
    if not any(part.sizes["window"] for part in parts):
        raise DatasetError(f"no trial is as long as a window of {length:g} s", root)
    dataset = join(parts, asked)
    dataset["distribution"] = labels.distribution(dataset["rating"], ceiling=top)
    dataset.attrs = attributes("dmer", notes + absent(places[form])) | {
        "rating_scale": f"1-{top}",
        "features": form,
        "window_seconds": length,
    }
    return contract.check(dataset)


def _read(
    form: str, places: dict[str, dict[int, Place]], number: int, length: float
) -> xr.Dataset:
    """The windows of one participant; those of signals are lent released faces."""
    place = places[form][number]
    if form == "features":
        return features_form(place, number, length)
    read_signals = aligned_form if form == "aligned" else raw_form
    part = read_signals(place, number, length)
    if number in places["features"]:
        add_columns(part, "video", read_rows(places["features"][number]))
    else:
        part.attrs["notes"].append(f"P{number:02d}: no features of the face lie beside")
    return part


def _check_choices(form: str | None, scale: str | None, missing: str) -> None:
    for choice, choices in (
        (form or "features", tuple(FOLDERS)),
        (scale or "1-5", ("1-5", "1-9")),
        (missing, ("error", "drop")),
    ):
        if choice not in choices:
            listed = ", ".join(choices)
            raise ParameterError(f"dmer: unknown choice {choice!r}; choose {listed}")


def check_root(root: str | Path) -> list[str]:
    """Say which forms of DMER lie in a folder, and what is missing; no file is read.

    Raises:
        DatasetError: if there is no such folder, or an archive is damaged.

    Example:
        >>> import tempfile
        >>> check_root(tempfile.mkdtemp())[0].split(";")[0]
        'no released form of DMER is in here'
    """
    root = Path(root)
    lines: list[str] = []
    for form, folder in FOLDERS.items():
        places = find(root, form)
        if places:
            lines.append(
                f"{form} ({folder}): {len(places)} of {len(PARTICIPANTS)} participants"
            )
            lines += [f"{form}: {note}" for note in absent(places)]
    if not lines:
        return [f"no released form of DMER is in here; {ASK}"]
    rated = sum(panas_file(place).is_file() for place in find(root, "raw").values())
    lines.append(f"ratings (Panas.csv): {rated} participants")
    if not rated:
        lines[-1] += "; they are in the raw release, without them there are no labels"
    return lines
