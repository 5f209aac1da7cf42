"""A twin of DMER: the three released forms, in their folders, names and layouts, with simulated people in them.

Nobody was measured for it, and it holds nothing of DMER, which is released on request only. Features, aligned signals,
raw signals and answers come from one simulated feeling a trial, so that the forms agree. Written from a description of
the release and never from the reader's code. What the description rests on:

* *read* (Yang et al., Scientific Data 11:847, 2024, and its code): the participants; 32 videos, 0-7 positive, 8-15
  negative, the rest mixed; the rates; 18 of 21 channels in use; ``<id>.mat`` with ``feas`` (n, 913) and ``vids``, one
  row a second from the fifth on, EEG 0:90 channel by channel, GSR 90:118, PPG 118:145, video 145:913;
  ``<id>/datas.mat`` with ``eeg_datas`` (20, N), ``gsr_datas``, ``ppg_datas``, ``fs_*``, the video id in the last row
  but one and the second, or -1, in the last; ``<id>/<id>/`` and ``<id>/sub<id>/`` and the names in them; the triggers,
  k + 10 and k + 100 for video k, before them a practice (60, 150) and a rest (50, 140), in the third column, after
  the value, of a wristband's file without a header; vid and ten ratings of 1-5 in 32 rows in the order of
  presentation, ten higher for participant 26; amusement and disgust 1-5; vid, arousal, valence, dominance 1-9; no
  labels.
* *inferred*: folders named as the archives; no header in the questionnaires; rows of a wristband end after the value
  where there is no trigger; columns and headers of the other tables; the rest, as video 40, stays in ``datas.mat``;
  trials stand in the order of presentation; names and order of the channels, which are the headset's; double
  precision, µV and µS; which statistics fill GSR and PPG; LBP-TOP as three histograms that sum to one; a placeholder
  that no player opens for each video and vendor's file.

Clips last 12 to 16 s unless told otherwise; the real ones last 20 to 30.
"""

import os
import shutil
from pathlib import Path

import numpy as np
from scipy.io import savemat
from scipy.special import expit

from mpcl.data import features, signals, simulated
from mpcl.data.contract import DatasetError
from mpcl.data.simulated_raw import BAND_POWER, hold, states

PARTICIPANTS = tuple(number for number in range(1, 81) if number not in (3, 4, 13, 16, 17, 27, 31))
FORMS = {"features": "Features", "aligned": "Aligned_data", "raw": "Raw_data"}
TYPES = np.repeat(["positive", "negative", "mixed"], [8, 8, 16])  # of video 0, 1, ... 31
ITEMS = ("inspired", "alert", "excited", "enthusiastic", "determined",
         "afraid", "upset", "nervous", "scared", "distressed")  # fmt: skip
RATES = {"eeg": 300, "gsr": 4, "ppg": 100}
HEADSET = "P3 C3 F3 Fz F4 C4 P4 Cz Pz A1 Fp1 Fp2 T3 T5 O1 O2 F7 F8 A2 T6 T4".split()  # columns of its file
CHANNELS = {  # in use, and the simulated channel that each follows
    "P3": "Pz", "C3": "F3", "F3": "F3", "Fz": "Fz", "F4": "F4", "C4": "F4", "P4": "Pz", "Cz": "Fz", "Fp1": "Fp1",
    "Fp2": "Fp2", "T3": "T7", "T5": "T7", "O1": "Pz", "O2": "Pz", "F7": "F3", "F8": "F4", "T6": "T8", "T4": "T8",
}  # fmt: skip
PRACTICE, REST = 50, 40  # what is shown before the videos, as if it were a video
FRAMES = 30  # of the camera, a second
PAUSE = 4  # s between trials
SKIPPED = 4  # s at the start of a trial that have no row of features
GSR, PPG, PLANES, BINS = 28, 27, 3, 256  # columns of features; LBP-TOP: planes and bins of each
VIDEO = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"  # the head of an MP4 file, and nothing after it
NOTICE = "Simulated files in the layout of DMER (mpcl.data.dmer_twin). Nobody was measured.\n"


def write_twin(root, participants=2, seed=0, forms=tuple(FORMS), seconds=(12, 16)):
    """Write a folder in the layout of DMER, of simulated participants.

    Args:
        root: the folder; it is made. ``TWIN.txt`` in it says what the files are.
        participants: how many, or their numbers (of ``PARTICIPANTS``).
        seed: non-negative integer; a participant does not depend on who else is written, nor in which forms.
        forms: any of ``features``, ``aligned``, ``raw``; the questionnaires, in ``Raw_data``, are always there.
        seconds: shortest and longest clip, whole seconds, at least 6.

    Returns:
        :class:`pathlib.Path` of the folder.

    Raises:
        DatasetError: for an unknown participant or form, or where files of that participant lie already.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = write_twin(folder, [5], forms=["features"], seconds=(6, 6))
        ...     sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))[:3]
        ['Features/5.mat', 'Raw_data/5/5/Arousal_Valence.csv', 'Raw_data/5/5/Emotions.csv']
    """
    whole = isinstance(participants, int)
    numbers = PARTICIPANTS[: max(0, participants)] if whole else tuple(participants)
    wrong = not numbers or len(set(numbers)) < len(numbers) or not set(numbers) <= set(PARTICIPANTS)
    if wrong or whole and participants > len(PARTICIPANTS):
        raise DatasetError(f"participants must be 1 to {len(PARTICIPANTS)}, or numbers of DMER, not {participants!r}")
    if seed < 0:
        raise DatasetError(f"the seed must be a non-negative integer, not {seed!r}")
    if unknown := set(forms) - FORMS.keys():
        raise DatasetError(f"unknown form {', '.join(sorted(map(repr, unknown)))}; choose of {', '.join(FORMS)}")
    if not 6 <= seconds[0] <= seconds[1] or any(length % 1 for length in seconds):
        raise DatasetError(f"seconds must be two whole numbers of at least 6, in order, not {seconds!r}")
    root = Path(root)
    places = [root / f"{folder}/{number}{'.mat' * (folder == 'Features')}"
              for folder in FORMS.values() for number in numbers]  # fmt: skip
    if taken := [place.relative_to(root).as_posix() for place in places if place.exists()]:
        raise DatasetError(f"{', '.join(taken)} is there already; write a twin into a folder of its own", root)
    root.mkdir(parents=True, exist_ok=True)
    (root / "TWIN.txt").write_text(NOTICE, encoding="ascii")
    for number in numbers:
        part = root / f".{number}.{os.getpid()}.part"
        try:
            _participant(part, number, seed, forms, seconds)
            for place in sorted(part.glob("*/*")):
                (root / place.parent.name).mkdir(exist_ok=True)
                place.rename(root / place.parent.name / place.name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return root


def _participant(folder, number, seed, forms, seconds):
    """All files of one participant; each form has random numbers of its own."""
    draw = dict(zip(("answers", "signals", *FORMS), np.random.default_rng([seed, number]).spawn(5), strict=True))
    intensity = _feel(seed, draw["answers"])
    vids = draw["answers"].permutation(len(TYPES))  # in the order of presentation
    shown = [PRACTICE, REST, *vids]
    lengths = np.array([5, 10, *(seconds[0] + 7 * vids % (seconds[1] - seconds[0] + 1))])
    starts = PAUSE + np.concatenate([[0], np.cumsum(lengths + PAUSE)[:-1]])
    trials = list(zip(shown, starts, starts + lengths, strict=True))
    raw = folder / "Raw_data" / str(number) / str(number)
    raw.mkdir(parents=True)
    _questionnaires(raw, vids, intensity, 10 * (number == 26), draw["answers"])
    if not forms:
        return
    of, recorded = _record(intensity[vids], starts[2:], (starts + lengths)[2:], draw["signals"])
    if "features" in forms:
        _write_features(folder / "Features" / f"{number}.mat", recorded, of, trials[2:], draw["features"])
    if "aligned" in forms:
        _write_aligned(folder / "Aligned_data" / str(number), recorded, trials[1:])
    if "raw" in forms:
        _write_raw(raw, raw.parent / f"sub{number}", recorded, trials, draw["raw"])


def _feel(seed, random):
    """Intensities u (video, emotion) of one participant, in the order of ``simulated.EMOTIONS``."""
    root = np.linalg.cholesky(simulated.correlation()).T
    mean = np.stack([np.where(simulated.VALENCE > 0, *simulated.CLIP_TYPES[name][1:]) for name in TYPES])
    clip = np.random.default_rng([seed, 0]).standard_normal(mean.shape) @ root  # the same for everybody
    person = random.standard_normal(mean.shape[1]) @ root
    own = random.standard_normal(mean.shape) @ root
    effects = simulated.CLIP_SD * clip + simulated.PARTICIPANT_SD * person + simulated.INTERACTION_SD * own
    return expit(simulated.BASE + mean + effects)


def _questionnaires(folder, vids, intensity, above, random):
    columns = [simulated.EMOTIONS.index(item) for item in ITEMS]
    answers = 1 + 4 * intensity[:, columns] + simulated.ANSWER_SD * random.standard_normal(intensity.shape)
    _csv(folder / "Panas.csv", np.column_stack([vids, above + answers.clip(1, 5)[vids]]))
    felt = simulated.affect(intensity)
    amused, disgusted = (felt[:, simulated.EMOTIONS.index(nearest)] for nearest in ("enthusiastic", "upset"))
    _csv(folder / "Emotions.csv", np.column_stack([vids, (1 + 4 * np.stack([amused, disgusted], 1))[vids]]))
    arousal, valence = 1 + 8 * felt[:, 11], 5 + 4 * felt[:, 10]
    dominance = random.integers(1, 10, len(vids))
    _csv(folder / "Arousal_Valence.csv", np.column_stack([vids, np.stack([arousal, valence, dominance], 1)[vids]]))


def _csv(path, table, form="%.0f", header=""):
    np.savetxt(path, table, form, ",", header=header, comments="", encoding="ascii")


def _record(intensity, starts, stops, random):
    """What was planted {state: (second,)}, and signals (channel, sample) of the whole session."""
    duration = int(stops[-1]) + PAUSE
    drive = simulated.drive(intensity[None], int(random.integers(2**31)))[0]
    planted = states(drive + simulated.OFFSET_SD * random.standard_normal(drive.shape[1]))
    of = hold(planted, starts, stops, duration)
    power = np.stack([[of[f"{near} {band}"] for band in BAND_POWER] for near in CHANNELS.values()])
    breaths = signals.events(of["breathing rate"], duration, random, of["breathing variability"])
    beats = signals.beats(of["heart rate"], of["RMSSD"], breaths, duration, random)
    responses = signals.events(of["SCR count"], duration, random)
    return of, {
        "eeg": signals.eeg(np.moveaxis(power, -1, 0), duration, RATES["eeg"], random).T,
        "gsr": signals.eda(of["SCL"], responses, of["SCR amplitude"], duration, RATES["gsr"], random)[None],
        "ppg": signals.pulse(beats, of["pulse amplitude"], duration, RATES["ppg"], random)[None],
    }


def _write_features(path, recorded, of, trials, random):
    """Rows of one second each: 18 x 5 differential entropies, 28 of GSR, 27 of PPG, 768 of the face."""
    vid = np.concatenate([np.full(stop - start - SKIPPED, vid) for vid, start, stop in trials])
    second = np.concatenate([np.arange(start + SKIPPED, stop) for _, start, stop in trials])
    brain = features.eeg(recorded["eeg"].T, RATES["eeg"], np.stack([second, second + 1.0], 1), list(CHANNELS))
    columns = [brain.values, *(
        _statistics(recorded[name][0], RATES[name], second)[:, :count] for name, count in (("gsr", GSR), ("ppg", PPG))
    )]  # fmt: skip
    texture = random.standard_normal((PLANES, BINS))
    muscles = np.log([of[f"{unit} mean"] for unit in simulated.ACTION_UNITS])[:, second]  # (unit, second)
    shown = np.einsum("upb,us->spb", 0.1 * random.standard_normal((len(muscles), PLANES, BINS)), muscles)
    pattern = np.exp(texture + shown + 0.1 * random.standard_normal(shown.shape))
    columns.append((pattern / pattern.sum(-1, keepdims=True)).reshape(len(second), -1))
    path.parent.mkdir(parents=True)
    savemat(path, {"feas": np.concatenate(columns, 1), "vids": vid}, do_compression=True)


def _statistics(signal, rate, second):
    """28 plain statistics of the four seconds that end with each second (row, statistic)."""
    cut = signal[((second[:, None] + 1 - SKIPPED) * rate) + np.arange(SKIPPED * rate)]  # (row, sample)
    derived = [cut, np.diff(cut), np.diff(cut, n=2), cut - cut.mean(1, keepdims=True)]
    measures = (np.mean, np.std, np.min, np.max, np.median, np.ptp, lambda x, axis: np.abs(x).mean(axis))
    return np.stack([measure(values, axis=1) for values in derived for measure in measures], 1)


def _write_aligned(folder, recorded, trials):
    """The trials one after another, with the two rows that say which video and which second it is."""
    folder.mkdir(parents=True)
    contents = {}
    for name, rate in RATES.items():
        cut = []
        for vid, start, stop in trials:
            sample = np.arange((stop - start) * rate)
            second = np.where(sample % rate == 0, sample // rate, -1)
            cut.append(np.vstack([recorded[name][:, start * rate : stop * rate], np.full(len(sample), vid), second]))
        contents |= {f"{name}_datas": np.concatenate(cut, 1), f"fs_{name}": rate}
    savemat(folder / "datas.mat", contents, do_compression=True)
    for vid in range(len(TYPES)):
        (folder / f"{vid}.mp4").write_bytes(VIDEO)


def _write_raw(folder, brain, recorded, trials, random):
    """The whole session, device by device, with the triggers k + 10 and k + 100 in the last column."""
    begin = 1.6e9 + float(random.integers(10**7))  # s, the computer's clock
    for name in ("gsr", "ppg"):
        time = begin + np.arange(recorded[name].shape[1]) / RATES[name]
        rows = zip(time, recorded[name][0], _triggers(trials, RATES[name], len(time)), strict=True)
        lines = [f"{at:.3f},{value:.4f}" + (f",{code}\n" if code else "\n") for at, value, code in rows]
        (folder / f"raw_{name}.csv").write_text("".join(lines), encoding="ascii", newline="\n")
    frame = np.arange(FRAMES * recorded["gsr"].shape[1] // RATES["gsr"])
    codes = _triggers(trials, FRAMES, len(frame))
    _csv(folder / "camera.csv", np.column_stack([begin + frame / FRAMES, frame, codes]), ["%.3f", "%d", "%d"])
    ears = 5 * random.standard_normal((2, recorded["eeg"].shape[1]))
    rows = dict(zip((*CHANNELS, "A1", "A2", "Pz"), (*recorded["eeg"], *ears, 0 * ears[0]), strict=True))
    time = np.arange(len(ears[0])) / RATES["eeg"]
    table = np.column_stack([time, *(rows[name] for name in HEADSET), _triggers(trials, RATES["eeg"], len(time))])
    brain.mkdir()
    form = ["%.4f", *["%.2f"] * len(HEADSET), "%d"]
    _csv(brain / "1_raw.csv", table, form, ",".join(["Time", *HEADSET, "Trigger"]))
    for path in (folder / "1_XXX.mp4", brain / "1_.dsi", brain / "1_raw.edf"):
        path.write_bytes(VIDEO if path.suffix == ".mp4" else NOTICE.encode("ascii"))


def _triggers(trials, rate, samples):
    codes = np.zeros(samples, int)
    for vid, start, stop in trials:
        codes[start * rate], codes[stop * rate] = vid + 10, vid + 100
    return codes
