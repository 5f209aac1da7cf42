"""A twin of WESAD: the official files, names, types, pickle dialect and traps, with simulated people in them.

Nobody was measured for it. Labels in the pickle, answers in the questionnaire and signals come from one simulated
feeling a condition, so that every loader and chapter runs without a download. Written from a description of the files
and never from the reader's code, so that the two do not share a mistake. What the description rests on:

* *read* (Schmidt et al., ICMI 2018, the read-me, the published questionnaires): the participants; ``SX/SX.pkl`` with
  ``subject``, ``signal`` (``chest``, ``wrist``) and ``label``; the keys ``Temp`` and ``Resp``; rates, shapes, 1/64 g at
  the wrist, int32 labels and their meaning; all of ``SX_quest.csv``: 24 lines of 27 fields, ORDER names,
  minutes.seconds without their last zeros on a clock of their own, ``# Subj:`` in S3 and S4, no ``bRead`` in S2,
  ``Medi 2`` first in S14, 26 answers after stress with Angry and Irritated before Sad, S5's ``Nan``, Sad never above 1;
  a Python 2 pickle (byte strings, ``numpy.core.multiarray``); that the chest temperature of S2 and S17 is unreliable
  and the stress of S6 and S15 doubtful.
* *inferred*: protocol 2 and its memo marks, double precision, C order, the order of the keys; chest in mV, µS, °C, %,
  g; where the labels 5, 6, 7 lie (the readings); how a bad temperature and a doubtful stress look; who, but for S14,
  sees amusement first.

Times are cut short (``SECONDS``): the real conditions last 20, 10, 6.5 and twice 7 minutes.
"""

import os
import shutil
from pathlib import Path

import numpy as np
from scipy.special import expit

from mpcl.data import signals, simulated
from mpcl.data.contract import DatasetError
from mpcl.data.simulated_raw import hold, states

PARTICIPANTS = tuple(f"S{number}" for number in (*range(2, 12), *range(13, 18)))
SECONDS = {"baseline": 120, "stress": 90, "amusement": 60, "meditation": 60, "gap": 10}
CHEST, ACC, BVP, SLOW = 700, 32, 64, 4  # samples a second: all of the chest; wrist ACC; BVP; EDA and TEMP
CODES = {"Base": 1, "TSST": 2, "Fun": 3, "Medi 1": 4, "Medi 2": 4, "bRead": 5, "sRead": 6, "fRead": 7}
LENGTHS = {"Base": "baseline", "TSST": "stress", "Fun": "amusement", "Medi 1": "meditation", "Medi 2": "meditation"}
FELT = {  # mean log-odds of feeling positive and negative emotions: our choice
    "Base": (-0.4, -1.8), "TSST": (-0.2, 0.4), "Fun": (0.6, -2.0), "Medi 1": (-0.4, -2.4), "Medi 2": (-0.4, -2.4),
}  # fmt: skip
ITEMS = {  # the questionnaire's order; of which simulated emotion an answer tells
    "Active": "alert", "Distressed": "distressed", "Interested": "inspired", "Inspired": "inspired", "Annoyed": "upset",
    "Strong": "determined", "Guilty": "distressed", "Scared": "scared", "Hostile": "upset", "Excited": "excited",
    "Proud": "enthusiastic", "Irritable": "upset", "Enthusiastic": "enthusiastic", "Ashamed": "distressed",
    "Alert": "alert", "Nervous": "nervous", "Determined": "determined", "Attentive": "alert", "Jittery": "nervous",
    "Afraid": "afraid", "Stressed": "nervous", "Frustrated": "upset", "Happy": "enthusiastic", "Angry": "upset",
    "Irritated": "upset", "Sad": None,
}  # fmt: skip
NOTICE = "Simulated files in the layout of WESAD (mpcl.data.wesad_twin). Nobody was measured.\n"


def write_twin(root, participants=3, seed=0, seconds=None, chest=True):
    """Write a folder in the official layout of WESAD, of simulated participants.

    Args:
        root: the folder; it is made. ``TWIN.txt`` in it says what the files are.
        participants: how many, from S2 on, or their names; the traps named above need the participants named there.
        seed: non-negative integer; a participant does not depend on who else is written.
        seconds: lengths that replace some of ``SECONDS``, whole seconds.
        chest: False leaves out the chest device (the pickle is 20 times smaller).

    Returns:
        :class:`pathlib.Path` of the folder.

    Raises:
        DatasetError: for an unknown participant, or where files of that participant lie already.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = write_twin(folder, ["S5"], seconds={"baseline": 20}, chest=False)
        ...     sorted(path.name for path in (root / "S5").iterdir())
        ['S5.pkl', 'S5_quest.csv']
    """
    whole = isinstance(participants, int)
    names = PARTICIPANTS[: max(0, participants)] if whole else tuple(participants)
    wrong = not names or len(set(names)) < len(names) or not set(names) <= set(PARTICIPANTS)
    if wrong or whole and participants > len(PARTICIPANTS):
        raise DatasetError(f"participants must be 1 to 15 or names of {', '.join(PARTICIPANTS)}, not {participants!r}")
    if seed < 0:
        raise DatasetError(f"the seed must be a non-negative integer, not {seed!r}")
    lengths = SECONDS | (seconds or {})
    if unknown := [name for name in lengths if name not in SECONDS or lengths[name] < 4 or lengths[name] % 1]:
        raise DatasetError(f"seconds must be whole, at least 4, of {', '.join(SECONDS)}; see {', '.join(unknown)}")
    root = Path(root)
    if taken := [name for name in names if (root / name).exists()]:
        raise DatasetError(f"{', '.join(taken)} is there already; write a twin into a folder of its own", root)
    root.mkdir(parents=True, exist_ok=True)
    (root / "TWIN.txt").write_text(NOTICE, encoding="ascii")
    for name in names:
        random = np.random.default_rng([seed, PARTICIPANTS.index(name)])
        segments, intensity = _protocol(name, lengths), _feel(name, random)
        part = root / f".{name}.{os.getpid()}.part"
        try:
            part.mkdir()
            text = _questionnaire(name, segments, intensity, random)
            (part / f"{name}_quest.csv").write_text(text, encoding="ascii", newline="\n")
            with (part / f"{name}.pkl").open("wb") as file:
                dump(_recording(name, segments, intensity, chest, random), file)
            part.rename(root / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return root


def _protocol(name, lengths):
    """{part: (start, stop)} in seconds, in the order of time, with the readings in the gaps."""
    order = ["Base", "TSST", "Medi 1", "Fun", "Medi 2"]
    if PARTICIPANTS.index(name) % 2:  # half of them see the film first
        order[1], order[3] = order[3], order[1]
    if name == "S14":
        order = ["Base", "TSST", "Medi 2", "Fun", "Medi 1"]
    segments, time = {}, lengths["gap"]
    for part in order:
        segments[part] = (time, time + lengths[LENGTHS[part]])
        time = segments[part][1] + lengths["gap"]
        reading = {"Base": "bRead", "TSST": "sRead", "Fun": "fRead"}.get(part)
        if reading and (name, reading) != ("S2", "bRead"):
            segments[reading] = (time - 3 * lengths["gap"] // 4, time - lengths["gap"] // 4)
    return segments


def _feel(name, random):
    """Intensities u of the ten simulated emotions in each condition: {condition: (emotion,)}."""
    spread = simulated.correlation()
    person = random.multivariate_normal(np.zeros(10), simulated.PARTICIPANT_SD**2 * spread, method="cholesky")
    own = random.multivariate_normal(np.zeros(10), simulated.INTERACTION_SD**2 * spread, 5, method="cholesky")
    felt = FELT | ({"TSST": FELT["Base"]} if name in ("S6", "S15") else {})
    return {
        condition: expit(np.where(simulated.VALENCE > 0, *felt[condition]) + person + effect)
        for condition, effect in zip(FELT, own, strict=True)
    }


def _questionnaire(name, segments, intensity, random):
    """The text of SX_quest.csv."""
    conditions = [part for part in segments if part in FELT]
    listed = conditions + [part for part in segments if part not in FELT]
    clock = random.integers(60, 480)  # s, by which this clock is ahead of the pickle's
    rows = [["# Subj:" if name in ("S3", "S4") else "# Subj", name], ["# ORDER", *listed]]
    for tag, end in (("# START", 0), ("# END", 1)):
        rows.append([tag, *(_minutes(int(clock + segments[part][end])) for part in listed)])
    rows.append([])
    rows += [["# PANAS", *_panas(name, condition, intensity[condition], random)] for condition in conditions]
    rows.append([])
    rows += [["# STAI", *random.integers(1, 5, 6)] for _ in conditions] + [[]]
    for condition in conditions:
        _, valence, arousal = np.split(simulated.affect(intensity[condition])[:12], [10, 11])
        rows.append(["# DIM", round(5 + 4 * valence.item()), round(1 + 8 * arousal.item())])
    rows += [[], ["# SSSQ", *random.integers(1, 6, 6)]]
    return "".join(";".join([*map(str, row), *[""] * (27 - len(row))]) + "\n" for row in rows)


def _panas(name, condition, intensity, random):
    """The answers after a condition as they stand in the file, 24 or (after stress) 26."""
    answers = {}
    for item, emotion in ITEMS.items():
        felt = 1 + 4 * intensity[simulated.EMOTIONS.index(emotion)] if emotion else 1
        noise = simulated.ANSWER_SD * random.standard_normal()
        answers[item] = int(np.clip(np.round(felt + noise), 1, 5)) if emotion else 1
    if condition != "TSST":
        del answers["Angry"], answers["Irritated"]
    if (name, condition) == ("S5", "Medi 1"):
        answers["Nervous"] = "Nan"
    return answers.values()


def _minutes(seconds):
    """Minutes.seconds as a spreadsheet leaves them: without zeros at the end."""
    return f"{seconds // 60}.{seconds % 60:02d}".rstrip("0").rstrip(".")


def _recording(name, segments, intensity, chest, random):
    """The dictionary of SX.pkl."""
    duration = max(stop for _, stop in segments.values()) + 4
    label = np.zeros(duration * CHEST, "int32")
    for part, (start, stop) in segments.items():
        label[start * CHEST : stop * CHEST] = CODES[part]
    of = _body(segments, intensity, duration, random)
    breaths = signals.events(of["breathing rate"], duration, random, of["breathing variability"])
    beats = signals.beats(of["heart rate"], of["RMSSD"], breaths, duration, random)
    responses = signals.events(of["SCR count"], duration, random)
    at = {rate: (duration, rate, random) for rate in (CHEST, ACC, BVP, SLOW)}
    signal = {"wrist": {
        "ACC": np.round(64 * signals.acceleration(30, 2 * of["head motion"], *at[ACC])),
        "BVP": signals.pulse(beats, of["pulse amplitude"], *at[BVP])[:, None],
        "EDA": signals.eda(of["SCL"] / 4, responses, of["SCR amplitude"] / 2, *at[SLOW])[:, None],
        "TEMP": signals.temperature(of["skin temperature"], *at[SLOW])[:, None],
    }}  # fmt: skip
    if chest:
        came_off = (np.arange(duration + 1) > duration / 2) & (name in ("S2", "S17"))
        signal["chest"] = {
            "ACC": signals.acceleration(80, of["head motion"], *at[CHEST]),
            "ECG": signals.ecg(beats, *at[CHEST])[:, None],
            "EMG": signals.emg(of["head motion"], *at[CHEST])[:, None],
            "EDA": signals.eda(of["SCL"], responses, of["SCR amplitude"], *at[CHEST])[:, None],
            "Temp": signals.temperature(np.where(came_off, 22, of["skin temperature"] + 1), *at[CHEST])[:, None],
            "Resp": signals.respiration(breaths, of["breathing depth"], *at[CHEST])[:, None],
        }
    return {"signal": signal, "label": label, "subject": name}


def _body(segments, intensity, duration, random):
    """The states of the body {state: (second,)}: constant in a condition, gliding to the next."""
    conditions = [part for part in segments if part in FELT]
    felt = np.stack([intensity[condition] for condition in conditions])[None]  # (1, condition, emotion)
    drive = simulated.drive(felt, int(random.integers(2**31)))[0]
    planted = states(drive + simulated.OFFSET_SD * random.standard_normal(drive.shape[1]))  # (condition, state)
    return hold(planted, *np.transpose([segments[condition] for condition in conditions]), duration)


def dump(value, file):
    """Write a pickle as Python 2 wrote it (protocol 2): byte strings, and numpy's classes under their old names.

    Args:
        value: dictionaries of strings and of arrays of numbers.
        file: a binary file.

    Example:
        >>> import io
        >>> dump({"subject": "S2"}, file := io.BytesIO())
        >>> file.getvalue()
        b'\\x80\\x02}q\\x00(U\\x07subjectq\\x01U\\x02S2q\\x02u.'
    """
    file.write(b"\x80\x02")
    _save(value, file.write, {})
    file.write(b".")


def _save(value, write, memo):
    """The opcodes of one value; a string or class that comes again is fetched (h) from where it was put (q)."""
    if isinstance(value, dict):
        write(b"}" + _put(memo) + b"(")
        for item in (item for pair in value.items() for item in pair):
            _save(item, write, memo)
        write(b"u")
    elif isinstance(value, str):
        _once(value, b"U" + bytes([len(value)]) + value.encode("ascii"), write, memo)
    else:
        _class("numpy.core.multiarray", "_reconstruct", write, memo)
        _class("numpy", "ndarray", write, memo)
        write(b"K\x00\x85" + _put(memo))
        _save("b", write, memo)
        write(b"\x87" + _put(memo) + b"R" + _put(memo) + b"(K\x01")
        write(b"".join(b"J" + count.to_bytes(4, "little") for count in value.shape))
        write({1: b"\x85", 2: b"\x86"}[value.ndim] + _put(memo))
        _dtype(value.dtype.str[1:], write, memo)
        write(b"\x89T" + value.nbytes.to_bytes(4, "little"))
        write(np.ascontiguousarray(value, value.dtype.newbyteorder("<")).data)
        write(_put(memo) + b"t" + _put(memo) + b"b")


def _dtype(name, write, memo):
    if ("dtype", name) in memo:
        write(memo["dtype", name])
        return
    _class("numpy", "dtype", write, memo)
    _save(name, write, memo)
    write(b"K\x00K\x01\x87" + _put(memo) + b"R" + _put(memo, ("dtype", name)) + b"(K\x03")
    _save("<", write, memo)
    write(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t" + _put(memo) + b"b")


def _class(module, name, write, memo):
    _once((module, name), f"c{module}\n{name}\n".encode("ascii"), write, memo)


def _once(key, opcodes, write, memo):
    write(memo[key] if key in memo else opcodes + _put(memo, key))


def _put(memo, key=None):
    """Give the value that was just made the next number of the memo (there are never 256), to be fetched by key."""
    number = bytes([len(memo)])
    memo[object() if key is None else key] = b"h" + number
    return b"q" + number
