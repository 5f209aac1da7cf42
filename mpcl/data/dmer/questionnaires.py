"""DMER's questionnaire: the answers of each participant to each clip, by video id.

*Read* in the recording program of its authors: the files have no header, lines stand in
the order of presentation, the video id comes first. *Read* in their label code: ten is
subtracted from all ratings of participant 26, so they may lie in 11 to 15 there; that
is done here too where it is so, and noted. Not run on the real files.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data.dmer.release import CLIPS, Place, content, find, panas_file
from mpcl.errors import DatasetError

POSITIVE = ["Inspired", "Alert", "Excited", "Enthusiastic", "Determined"]
EMOTIONS = [*POSITIVE, "Afraid", "Upset", "Nervous", "Scared", "Distressed"]
SHIFTED = 26


def questionnaires(
    root: str | Path, participants: Collection[int], missing: str = "error"
) -> xr.DataArray:
    """Read the answers of participants to the ten words.

    Args:
        root: the folder of the raw release.
        missing: ``error`` or ``drop`` (NaN) for clips without complete answers.

    Returns:
        (participant, clip, emotion), NaN where not answered; ``notes`` in the
        attributes.

    Raises:
        DatasetError: naming file and line.
    """
    places = find(Path(root), "raw")
    files = {n: panas_file(places[n]) for n in participants if n in places}
    absent = [f"{n}" for n in participants if n not in files or not files[n].is_file()]
    if absent:
        raise DatasetError(
            f"no Panas.csv of participant {', '.join(absent)}; the ratings are in the "
            f"raw release: unpack <id>/<id>/Panas.csv and give its folder as ratings=",
            str(root),
        )
    answers: list[np.ndarray] = []
    unused = ", ".join(f"{n}" for n in places if n not in files)
    notes = [f"answers without a recording: participant {unused}"] if unused else []
    _check_copies(files)
    for number, path in files.items():
        answers.append(_answers(path))
        notes += _complete(answers[-1], number, path, missing)
    return xr.DataArray(
        np.array(answers),
        {"participant": list(files), "clip": np.arange(CLIPS), "emotion": EMOTIONS},
        ("participant", "clip", "emotion"),
        attrs={"notes": notes},
    )


def _check_copies(files: Mapping[int, Place]) -> None:
    """No two people saw 32 clips in the same order and gave the same answers."""
    numbers: dict[bytes, int] = {}
    for number, path in files.items():
        first = numbers.setdefault(content(path), number)
        if first != number and content(path):
            raise DatasetError(
                f"it is the file of participant {first} once more; restore the one of "
                f"participant {number}",
                str(path),
            )


def _complete(answers: np.ndarray, number: int, path: Place, missing: str) -> list[str]:
    """Blank incomplete answers (clip, word), shift back those of participant 26."""
    notes: list[str] = []
    lost = np.flatnonzero(np.isnan(answers).any(1))
    clips = ", ".join(str(clip) for clip in lost)
    if len(lost) and missing == "error":
        raise DatasetError(
            f"no complete answers on clip {clips}; {CLIPS} lines of ten answers are "
            f"needed: restore the file, or leave these trials out with missing='drop'",
            str(path),
        )
    if len(lost):
        notes.append(f"P{number:02d}: clip {clips} left out, not answered")
        answers[lost] = np.nan
    if number == SHIFTED and np.nanmin(answers, initial=np.inf) > 10:
        answers -= 10
        notes.append(
            f"P{number}: all ratings lay above 10; 10 was subtracted, as the "
            f"publishers' label code does"
        )
    wrong = np.argwhere((answers < 1) | (answers > 9))
    if len(wrong):
        clip, word = wrong[0]
        raise DatasetError(
            f"clip {clip}, {EMOTIONS[word]}: {answers[clip, word]:g} is no answer from "
            f"1 to 9; correct it or restore the file",
            str(path),
        )
    return notes


def _answers(path: Place) -> np.ndarray:
    """Answers (clip, word), NaN where there is none."""
    answers = np.full((CLIPS, len(EMOTIONS)), np.nan)
    clips: list[int] = []
    text = content(path).decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        fields = [field.strip(' "') for field in line.split(",")]
        if any(fields):
            fault = _fault(fields, clips)
            if fault:
                raise DatasetError(
                    f"line {number}: {fault}; correct it or restore the file", str(path)
                )
            clips.append(int(float(fields[0])))
            answers[clips[-1]] = [float(field or "nan") for field in fields[1:]]
    return answers


def _fault(fields: list[str], clips: list[int]) -> str:
    """What is wrong with the fields of a line, after the lines of some clips."""
    answer = re.compile(r"\d{1,4}(\.0*)?|nan|", re.IGNORECASE)
    wrong = [field[:20] for field in fields if not answer.fullmatch(field)]
    words = ", ".join(EMOTIONS)
    clip = fields[0]
    if len(fields) != 1 + len(EMOTIONS):
        return f"{len(fields)} fields, {1 + len(EMOTIONS)} expected (video id, {words})"
    if wrong:
        return f"{wrong[0]!r} is no answer"
    if not clip[:1].isdigit() or float(clip) >= CLIPS:
        return f"{clip!r} is no video id from 0 to {CLIPS - 1}"
    if float(clip) in clips:
        return f"clip {float(clip):g} was answered before, one of the lines is wrong"
    return ""


def top_of_scale(panas: xr.DataArray, stated: str | None) -> tuple[int, list[str]]:
    """The top of the scale, 5 or 9, and notes.

    The descriptor says 1-9, the recording program and the public sample 1-5 (*read*),
    so the answers decide: 1-9 if at least half of the participants go beyond 5, in more
    than a slip or two; if fewer do, the user must.

    Args:
        panas: answers (participant, clip, emotion).
        stated: ``1-5``, ``1-9`` or None.

    Raises:
        DatasetError: if the answers do not fit what is stated, or leave it open.
    """
    most = panas.max(("clip", "emotion"))
    numbers = panas.participant.values[(most > 5).values]
    beyond = ", ".join(f"P{number:02d}" for number in numbers[:5])
    if stated == "1-5" and beyond:
        raise DatasetError(
            f"answers above 5 of {beyond}: they are wrong, or scale= is", "dmer"
        )
    times = int((panas > 5).sum())
    is_few = len(numbers) < len(most) / 2 or times <= 2 * len(numbers)
    if stated is None and beyond and is_few:
        raise DatasetError(
            f"{len(numbers)} of {len(most)} participants answer above 5 ({beyond}), "
            f"{times} times: "
            f"either these are wrong, or the scale is 1-9; look at them and give "
            f"scale=",
            "dmer",
        )
    top = 9 if stated == "1-9" or (stated is None and beyond) else 5
    low, high = float(panas.min()), float(panas.max())
    return top, [f"ratings run from {low:g} to {high:g}; the scale is taken as 1-{top}"]
