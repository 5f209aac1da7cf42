"""A twin of WESAD: its official files and their traps, with simulated people in them.

Nobody was measured for it. Labels in the pickle, answers in the questionnaire and
signals come from one simulated feeling a condition, so that every loader and chapter
runs without a download. Written from a description of the files and never from the
reader's code, so that the two do not share a mistake. What the description rests on:

* *read* (Schmidt et al., ICMI 2018, the read-me, the published questionnaires): the
  participants; ``SX/SX.pkl`` with ``subject``, ``signal`` (``chest``, ``wrist``) and
  ``label``; the keys ``Temp`` and ``Resp``; rates, shapes, 1/64 g at the wrist, int32
  labels and their meaning; all of ``SX_quest.csv``: 24 lines of 27 fields, ORDER names,
  minutes.seconds without their last zeros on a clock of their own, ``# Subj:`` in S3
  and S4, no ``bRead`` in S2, ``Medi 2`` first in S14, 26 answers after stress with
  Angry and Irritated before Sad, S5's ``Nan``, Sad never above 1; a Python 2 pickle
  (byte strings, ``numpy.core.multiarray``); that the chest temperature of S2 and S17 is
  unreliable and the stress of S6 and S15 doubtful.
* *inferred*: protocol 2 and its memo marks, double precision, C order, the order of the
  keys; chest in mV, µS, °C, %, g; where the labels 5, 6, 7 lie (the readings); how a
  bad temperature and a doubtful stress look; who, but for S14, sees amusement first.

Times are cut short (``SECONDS``): the real conditions last 20, 10, 6.5 and twice 7
minutes.
"""

import pickle
import pickletools
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from mpcl.errors import ParameterError
from mpcl.files import whole, write_text
from mpcl.simulation import body, latent, twins
from mpcl.simulation import cohort as simulated
from mpcl.simulation.recordings import Rhythms, rhythms

PARTICIPANTS = tuple(f"S{number}" for number in (*range(2, 12), *range(13, 18)))
SECONDS = {"baseline": 120, "stress": 90, "amusement": 60, "meditation": 60, "gap": 10}
# samples a second: all of the chest; wrist ACC; BVP; EDA and TEMP
CHEST, ACC, BVP, SLOW = (700, 32, 64, 4)
CODES = {
    "Base": 1,
    "TSST": 2,
    "Fun": 3,
    "Medi 1": 4,
    "Medi 2": 4,
    "bRead": 5,
    "sRead": 6,
    "fRead": 7,
}
# each condition: the name of its length, and of the reading after it
PARTS = {
    "Base": ("baseline", "bRead"),
    "TSST": ("stress", "sRead"),
    "Fun": ("amusement", "fRead"),
    "Medi 1": ("meditation", None),
    "Medi 2": ("meditation", None),
}
ORDERS = (  # half of them see the film first
    ("Base", "TSST", "Medi 1", "Fun", "Medi 2"),
    ("Base", "Fun", "Medi 1", "TSST", "Medi 2"),
)
ORDER_OF_S14 = ("Base", "TSST", "Medi 2", "Fun", "Medi 1")
FELT = {  # mean log-odds of feeling positive and negative emotions: our choice
    "Base": (-0.4, -1.8),
    "TSST": (-0.2, 0.4),
    "Fun": (0.6, -2.0),
    "Medi 1": (-0.4, -2.4),
    "Medi 2": (-0.4, -2.4),
}
ITEMS = {  # the questionnaire's order; of which simulated emotion an answer tells
    "Active": "alert",
    "Distressed": "distressed",
    "Interested": "inspired",
    "Inspired": "inspired",
    "Annoyed": "upset",
    "Strong": "determined",
    "Guilty": "distressed",
    "Scared": "scared",
    "Hostile": "upset",
    "Excited": "excited",
    "Proud": "enthusiastic",
    "Irritable": "upset",
    "Enthusiastic": "enthusiastic",
    "Ashamed": "distressed",
    "Alert": "alert",
    "Nervous": "nervous",
    "Determined": "determined",
    "Attentive": "alert",
    "Jittery": "nervous",
    "Afraid": "afraid",
    "Stressed": "nervous",
    "Frustrated": "upset",
    "Happy": "enthusiastic",
    "Angry": "upset",
    "Irritated": "upset",
    "Sad": "upset",  # asked, and never above 1
}
NOTICE = (
    "Simulated files in the layout of WESAD (mpcl.simulation.wesad_twin). "
    "Nobody was measured.\n"
)


Segments: TypeAlias = dict[str, tuple[int, int]]  # part: start and stop in seconds
Intensity: TypeAlias = dict[str, np.ndarray]  # condition: u (emotion,)


def write_twin(
    root: str | Path,
    participants: int | Sequence[str] = 3,
    seed: int = 0,
    seconds: Mapping[str, int] | None = None,
    chest: bool = True,
) -> Path:
    """Write a folder in the official layout of WESAD, of simulated participants.

    Args:
        root: the folder; it is made. ``TWIN.txt`` in it says what the files are.
        participants: how many, from S2 on, or their names; the traps named above need
            the participants named there.
        seed: a participant does not depend on who else is written.
        seconds: lengths that replace some of ``SECONDS``, whole seconds.
        chest: False leaves out the chest device (the pickle is 20 times smaller).

    Raises:
        ParameterError: for an unknown participant, and for wrong lengths.
        DatasetError: where files of a participant lie already.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = write_twin(folder, ["S5"], seconds={"baseline": 20}, chest=False)
        ...     sorted(path.name for path in (root / "S5").iterdir())
        ['S5.pkl', 'S5_quest.csv']
    """
    root = Path(root)
    names = twins.choose(participants, PARTICIPANTS, seed)
    lengths = SECONDS | dict(seconds or {})
    for name, length in lengths.items():
        if name not in SECONDS or length < 4 or length % 1:
            raise ParameterError(
                f"seconds must be whole, at least 4, of {', '.join(SECONDS)}; see "
                f"{name}"
            )
    twins.begin(root, names, NOTICE)
    for name in names:
        random = np.random.default_rng([seed, PARTICIPANTS.index(name)])
        segments, intensity = _protocol(name, lengths), _feel(name, random)
        text = _questionnaire(name, segments, intensity, random)
        recording = _recording(name, segments, intensity, chest, random)
        write_text(text, root / name / f"{name}_quest.csv")
        with whole(root / name / f"{name}.pkl") as part, part.open("wb") as file:
            dump(recording, file)
    return root


def _protocol(name: str, lengths: Mapping[str, int]) -> Segments:
    """The parts in the order of time, with the readings in the gaps."""
    of_name = ORDERS[PARTICIPANTS.index(name) % 2]
    gap = lengths["gap"]
    segments: Segments = {}
    time = gap
    for part in ORDER_OF_S14 if name == "S14" else of_name:
        length, reading = PARTS[part]
        segments[part] = (time, time + lengths[length])
        time = segments[part][1] + gap
        if reading and (name, reading) != ("S2", "bRead"):
            segments[reading] = (time - 3 * gap // 4, time - gap // 4)
    return segments


def _feel(name: str, random: Generator) -> Intensity:
    """Intensities of the ten simulated emotions in each condition."""
    spread, mean = latent.correlation(), np.zeros(10)
    person = random.multivariate_normal(
        mean, latent.PARTICIPANT_SD**2 * spread, method="cholesky"
    )
    effects = random.multivariate_normal(
        mean, latent.INTERACTION_SD**2 * spread, len(FELT), method="cholesky"
    )
    felt = dict(FELT)
    if name in ("S6", "S15"):  # they stayed calm
        felt["TSST"] = FELT["Base"]
    typical = np.stack([np.where(latent.VALENCE > 0, *pair) for pair in felt.values()])
    return dict(zip(felt, expit(typical + person + effects), strict=True))


def _questionnaire(
    name: str, segments: Segments, intensity: Intensity, random: Generator
) -> str:
    """The text of SX_quest.csv."""
    conditions = [part for part in segments if part in FELT]
    listed = conditions + [part for part in segments if part not in FELT]
    clock = int(random.integers(60, 480))  # s, by which it is ahead of the pickle's
    answers = [_panas(name, part, intensity[part], random) for part in conditions]
    anxiety = random.integers(1, 5, (len(conditions), 6)).tolist()
    felt = simulated.affect(np.stack([intensity[part] for part in conditions]))
    dimensions = np.round([5 + 4 * felt[:, 10], 1 + 8 * felt[:, 11]]).astype(int).T
    rows: list[list[object]] = [
        ["# Subj:" if name in ("S3", "S4") else "# Subj", name],
        ["# ORDER", *listed],
        ["# START", *(_minutes(clock + segments[part][0]) for part in listed)],
        ["# END", *(_minutes(clock + segments[part][1]) for part in listed)],
        [],
        *(["# PANAS", *row] for row in answers),
        [],
        *(["# STAI", *row] for row in anxiety),
        [],
        *(["# DIM", *row] for row in dimensions),
        [],
        ["# SSSQ", *random.integers(1, 6, 6)],
    ]
    lines = [[*map(str, row), *[""] * (27 - len(row))] for row in rows]
    return "".join(";".join(line) + "\n" for line in lines)


def _panas(
    name: str, condition: str, intensity: np.ndarray, random: Generator
) -> list[int | str]:
    """The answers after a condition as they stand in the file, 24 or (stress) 26."""
    places = [latent.EMOTIONS.index(emotion) for emotion in ITEMS.values()]
    noise = simulated.ANSWER_SD * random.standard_normal(len(ITEMS))
    rated = np.clip(np.round(1 + 4 * intensity[places] + noise), 1, 5).astype(int)
    answers: dict[str, int | str] = dict(zip(ITEMS, rated.tolist(), strict=True))
    answers["Sad"] = 1
    if condition != "TSST":
        del answers["Angry"], answers["Irritated"]
    if (name, condition) == ("S5", "Medi 1"):
        answers["Nervous"] = "Nan"
    return list(answers.values())


def _minutes(seconds: int) -> str:
    """Minutes.seconds as a spreadsheet leaves them: without zeros at the end."""
    return f"{seconds // 60}.{seconds % 60:02d}".rstrip("0").rstrip(".")


def _recording(
    name: str, segments: Segments, intensity: Intensity, chest: bool, random: Generator
) -> dict[str, object]:
    """The dictionary of SX.pkl."""
    duration = max(stop for _, stop in segments.values()) + 4
    label = np.zeros(duration * CHEST, "int32")
    for part, (start, stop) in segments.items():
        label[start * CHEST : stop * CHEST] = CODES[part]
    conditions = [part for part in segments if part in FELT]
    felt = np.stack([intensity[condition] for condition in conditions])
    spans = np.array([segments[condition] for condition in conditions])
    of = twins.embody(felt, spans, duration, random)
    timing = rhythms(of, duration, random, random, random)
    signal = {"wrist": _wrist(of, timing, duration, random)}
    if chest:
        if name in ("S2", "S17"):  # the sensor comes off
            of["skin temperature"][np.arange(duration + 1) > duration / 2] = 21
        signal["chest"] = _chest(of, timing, duration, random)
    return {"signal": signal, "label": label, "subject": name}


def _wrist(
    of: Mapping[str, np.ndarray], timing: Rhythms, duration: int, random: Generator
) -> dict[str, np.ndarray]:
    """Signals (sample, axis) of the wrist device."""
    _, beats, responses = timing
    at = {rate: (duration, rate, random) for rate in (ACC, BVP, SLOW)}
    moved = body.simulate_acceleration(30, 2 * of["head motion"], *at[ACC])
    skin = (of["SCL"] / 4, responses, of["SCR amplitude"] / 2)
    columns = {
        "BVP": body.simulate_pulse(beats, of["pulse amplitude"], *at[BVP]),
        "EDA": body.simulate_eda(*skin, *at[SLOW]),
        "TEMP": body.simulate_temperature(of["skin temperature"], *at[SLOW]),
    }
    return {"ACC": np.round(64 * moved)} | _columns(columns)


def _chest(
    of: Mapping[str, np.ndarray], timing: Rhythms, duration: int, random: Generator
) -> dict[str, np.ndarray]:
    """Signals (sample, axis) of the chest device."""
    breaths, beats, responses = timing
    at = (duration, CHEST, random)
    moved = body.simulate_acceleration(80, of["head motion"], *at)
    skin = (of["SCL"], responses, of["SCR amplitude"])
    columns = {
        "ECG": body.simulate_ecg(beats, *at),
        "EMG": body.simulate_emg(of["head motion"], *at),
        "EDA": body.simulate_eda(*skin, *at),
        "Temp": body.simulate_temperature(of["skin temperature"] + 1, *at),
        "Resp": body.simulate_respiration(breaths, of["breathing depth"], *at),
    }
    return {"ACC": moved} | _columns(columns)


def _columns(signals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: signal[:, None] for name, signal in signals.items()}


def dump(value: object, file: BinaryIO) -> None:
    """Write a pickle as Python 2 wrote it: protocol 2, byte strings, old names.

    It is a pickle of protocol 3, some of whose operations are replaced.

    Args:
        value: dictionaries of short strings and of arrays of numbers.

    Example:
        >>> import io
        >>> dump({"subject": "S2"}, file := io.BytesIO())
        >>> file.getvalue()
        b'\\x80\\x02}q\\x00U\\x07subjectq\\x01U\\x02S2q\\x02s.'
    """
    newer = pickle.dumps(value, 3)
    operations = [(code.name, at) for code, _, at in pickletools.genops(newer)]
    operations.append(("END", len(newer)))
    for (name, start), (_, stop) in pairwise(operations):
        written = newer[start:stop]
        if name == "PROTO":
            written = b"\x80\x02"
        elif name == "GLOBAL":
            written = written.replace(b"numpy._core", b"numpy.core")
        elif name == "BINUNICODE":  # its length takes four bytes, that of U takes one
            written = b"U" + written[1:2] + written[5:]
        elif name == "SHORT_BINBYTES":
            written = b"U" + written[1:]
        elif name == "BINBYTES":
            written = b"T" + written[1:]
        file.write(written)
