"""DMER's questionnaires: the answers of each participant to each clip, joined on the video id.

*Read* in the recording program of its authors: the files have no header, lines stand in the order of presentation,
the video id comes first. *Read* in their label code: ten is subtracted from all ratings of participant 26, so they
may lie in 11 to 15 there; that is done here too where it is so, and noted. Not run on the real files.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data import dmer_mat, dmer_raw
from mpcl.data.contract import DatasetError
from mpcl.data.dmer_raw import CLIPS, find

POSITIVE = "Inspired Alert Excited Enthusiastic Determined".split()
EMOTIONS = [*POSITIVE, *"Afraid Upset Nervous Scared Distressed".split()]
SHIFTED = 26


FILES = {
    "panas": ("Panas.csv", "emotion", EMOTIONS),
    "vad": ("Arousal_Valence.csv", "vad_item", ["arousal", "valence", "dominance"]),
    "discrete": ("Emotions.csv", "discrete_item", ["amusement", "disgust"]),
}


def questionnaires(root, participants=None, missing="error", names=tuple(FILES)):
    """Read all answers: the ten words, valence, arousal and dominance, amusement and disgust.

    The order of ``Arousal_Valence.csv`` is that of the recording program (arousal, valence, dominance; the article
    has another), unless the file has a header. *Read* in the program: the files have none.

    Args:
        root: the folder of the raw release.
        participants: numbers that must be there; by default all that are.
        missing: ``error`` or ``drop`` (NaN) for clips without complete answers to the ten words.
        names: which of ``panas``, ``vad``, ``discrete`` to read.

    Returns:
        :class:`xarray.Dataset` with ``panas`` (participant, clip, emotion), ``vad`` (participant, clip, vad_item),
        ``discrete`` (participant, clip, discrete_item) and ``position`` (participant, clip), 1 being the clip that
        was shown first. NaN where not answered, or where the file is not there (the ten words must be).

    Raises:
        DatasetError: naming file and line.
    """
    found = find(Path(root), "raw")
    numbers = list(found if participants is None else participants)
    absent = [number for number in numbers if number not in found or not panas_file(found[number]).is_file()]
    if absent or not numbers:
        raise DatasetError(f"no Panas.csv of participant {', '.join(map(str, absent)) or 'any'}; the ratings are in "
                           f"the raw release: unpack <id>/<id>/Panas.csv and give its folder as ratings=", root)
    tables, positions, notes = {name: [] for name in names}, [], []
    for number in numbers:
        folder = dmer_raw.questionnaires_folder(found[number])
        for name in names:
            path, words = folder / FILES[name][0], FILES[name][2]
            answers, order = _answers(path, words) if name == "panas" or path.is_file() else ({}, [])
            rows = np.array([answers.get(clip, np.full(len(words), np.nan)) for clip in range(CLIPS)])
            if name == "panas":
                positions.append([order.index(clip) + 1 if clip in order else np.nan for clip in range(CLIPS)])
                rows, told = _complete(rows, number, path, missing)
                notes += told
            tables[name].append(_in_range(rows, words, path))
    dataset = xr.Dataset(
        {name: (("participant", "clip", FILES[name][1]), np.array(rows)) for name, rows in tables.items()},
        coords={"participant": numbers, "clip": np.arange(CLIPS)} | {FILES[name][1]: FILES[name][2] for name in names},
        attrs={"notes": notes})
    return dataset.assign(position=(("participant", "clip"), np.array(positions))) if positions else dataset


def panas_file(place):
    """Where the ten words of a participant lie, given the participant's folder."""
    return dmer_raw.questionnaires_folder(place) / "Panas.csv"


def _complete(answers, number, path, missing):
    """Answers (clip, word), those of participant 26 shifted back, and notes; incomplete clips are NaN or an error."""
    notes = []
    lost = np.flatnonzero(np.isnan(answers).any(1))
    if len(lost) and missing == "error":
        raise DatasetError(f"no complete answers on clip {', '.join(map(str, lost))}; {CLIPS} lines of ten answers are "
                           f"needed: restore the file, or leave these trials out with missing='drop'", path)
    if len(lost):
        notes.append(f"P{number:02d}: clip {', '.join(map(str, lost))} left out, not answered")
    answers[lost] = np.nan
    if number == SHIFTED and np.nanmin(answers, initial=np.inf) > 10:
        answers = answers - 10
        notes.append(f"P{number}: all ratings lay above 10; 10 was subtracted, as the publishers' label code does")
    return answers, notes


def _in_range(answers, words, path):
    wrong = np.argwhere((answers < 1) | (answers > 9))
    if len(wrong):
        clip, word = wrong[0]
        raise DatasetError(f"clip {clip}, {words[word]}: {answers[clip, word]:g} is no answer from 1 to 9; "
                           f"correct it or restore the file", path)
    return answers


def _answers(path, words):
    """``{clip: [answer, ...]}`` and the clips in the order of the lines; a header, if any, names the columns."""
    text = dmer_mat.content(path).decode("utf-8-sig", errors="replace")
    rows = [(number, [field.strip(' "') for field in line.split(",")])
            for number, line in enumerate(text.splitlines(), 1) if line.strip(', "')]
    columns, answers = list(range(1 + len(words))), {}
    if rows and not re.match(r"[\d.+-]", rows[0][1][0]):
        columns, rows = _header(rows[0][1], words, path), rows[1:]
    width = len(columns)
    for number, fields in rows:
        if len(fields) != width:
            raise DatasetError(f"line {number} has {len(fields)} fields, {width} expected (video id, "
                               f"{', '.join(words)}); restore the file", path)
        wrong = [field for field in fields if not re.fullmatch(r"\d{1,4}(\.0*)?|nan|", field.lower())]
        clip = fields[columns[0]]
        if wrong or not re.fullmatch(r"\d+(\.0*)?", clip) or float(clip) >= CLIPS:
            told = f"{wrong[0][:20]!r} is no answer" if wrong else f"{clip!r} is no video id from 0 to {CLIPS - 1}"
            raise DatasetError(f"line {number}: {told}; correct it or restore the file", path)
        clip = int(float(clip))
        if clip in answers:
            raise DatasetError(f"line {number}: clip {clip} was answered before; remove the line that is wrong", path)
        answers[clip] = [float(fields[column] or "nan") for column in columns[1:]]
    return answers, list(answers)


def _header(fields, words, path):
    """The columns of video id and words, by the names in the header."""
    columns = [[place for place, field in enumerate(fields) if word[:6].lower() in field.lower()]
               for word in ("vid", *words)]
    absent = [word for word, found in zip(("vid", *words), columns, strict=True) if len(found) != 1]
    if absent or len(fields) != 1 + len(words):
        raise DatasetError(f"the header lacks or repeats {', '.join(absent) or 'a column'}; {1 + len(words)} columns "
                           f"needed (video id, {', '.join(words)})", path)
    return [found[0] for found in columns]


def top_of_scale(panas, given):
    """The top of the scale, 5 or 9, and notes.

    The descriptor says 1-9, the recording program and the public sample 1-5 (*read*), so the answers decide: 1-9 if
    at least half of the participants go beyond 5; if fewer do, the user must.

    Args:
        panas: answers (participant, clip, emotion).
        given: ``1-5``, ``1-9`` or None.

    Raises:
        DatasetError: if the answers do not fit what is given, or leave it open.
    """
    most = panas.max(("clip", "emotion"))
    beyond = [f"P{number:02d}" for number in panas.participant.values[(most > 5).values]]
    if given == "1-5" and beyond:
        raise DatasetError(f"answers above 5 of {', '.join(beyond[:5])}: they are wrong, or scale= is", "dmer")
    if given is None and 0 < len(beyond) < len(most) / 2:
        raise DatasetError(f"{len(beyond)} of {len(most)} participants answer above 5 ({', '.join(beyond[:5])}): "
                           f"either these are wrong, or the scale is 1-9; look at them and give scale=", "dmer")
    top = 9 if given == "1-9" or (given is None and beyond) else 5
    return top, [f"ratings run from {float(panas.min()):g} to {float(panas.max()):g}; the scale is taken as 1-{top}"]
