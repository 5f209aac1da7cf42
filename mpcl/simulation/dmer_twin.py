"""A twin of DMER: its three released forms, with simulated people in them.

Nobody was measured for it, and it holds nothing of DMER, which is released on request
only. Features, aligned signals, raw signals and answers come from one simulated feeling
a trial, so that the forms agree. Written from a description of the release and never
from the reader's code. What the description rests on:

* *read* (Yang et al., Scientific Data 11:847, 2024, and its code): the participants; 32
  videos, 0-7 positive, 8-15 negative, the rest mixed; the rates; 18 of 21 channels in
  use; ``<id>.mat`` with ``feas`` (n, 913) and ``vids``, one row a second from the fifth
  on, EEG 0:90 channel by channel, GSR 90:118, PPG 118:145, video 145:913;
  ``<id>/datas.mat`` with ``eeg_datas`` (20, N), ``gsr_datas``, ``ppg_datas``, ``fs_*``,
  the video id in the last row but one and the second, or -1, in the last;
  ``<id>/<id>/`` and ``<id>/sub<id>/`` and the names in them; the triggers, k + 10 and k
  + 100 for video k, before them a practice (60, 150) and a rest (50, 140), in the third
  column, after the value, of a wristband's file without a header; vid and ten ratings
  of 1-5 in 32 rows in the order of presentation, ten higher for participant 26;
  amusement and disgust 1-5; vid, arousal, valence, dominance 1-9; no labels.
* *inferred*: folders named as the archives; no header in the questionnaires; rows of a
  wristband end after the value where there is no trigger; columns and headers of the
  other tables; the rest, as video 40, stays in ``datas.mat``; trials stand in the order
  of presentation; names and order of the channels, which are the headset's; double
  precision, µV and µS; which statistics fill GSR and PPG; LBP-TOP as three histograms
  that sum to one; a placeholder that no player opens for each video and vendor's file.

Clips last 12 to 16 s unless told otherwise; the real ones last 20 to 30.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from scipy.io import savemat
from scipy.special import expit

from mpcl.data import features
from mpcl.errors import ParameterError
from mpcl.files import whole, write_text
from mpcl.simulation import body, latent, twins
from mpcl.simulation import cohort as simulated
from mpcl.simulation.recordings import band_power, rhythms

PARTICIPANTS = tuple(
    number for number in range(1, 81) if number not in (3, 4, 13, 16, 17, 27, 31)
)
FORMS = {"features": "Features", "aligned": "Aligned_data", "raw": "Raw_data"}
# of video 0, 1, ... 31
TYPES = np.repeat(["positive", "negative", "mixed"], [8, 8, 16])
ITEMS = (
    "inspired",
    "alert",
    "excited",
    "enthusiastic",
    "determined",
    "afraid",
    "upset",
    "nervous",
    "scared",
    "distressed",
)
RATES = {"eeg": 300, "gsr": 4, "ppg": 100}
# columns of its file
HEADSET = "P3 C3 F3 Fz F4 C4 P4 Cz Pz A1 Fp1 Fp2 T3 T5 O1 O2 F7 F8 A2 T6 T4".split()
CHANNELS = {  # in use, and the simulated channel that each follows
    "P3": "Pz",
    "C3": "F3",
    "F3": "F3",
    "Fz": "Fz",
    "F4": "F4",
    "C4": "F4",
    "P4": "Pz",
    "Cz": "Fz",
    "Fp1": "Fp1",
    "Fp2": "Fp2",
    "T3": "T7",
    "T5": "T7",
    "O1": "Pz",
    "O2": "Pz",
    "F7": "F3",
    "F8": "F4",
    "T6": "T8",
    "T4": "T8",
}
PRACTICE, REST = 50, 40  # what is shown before the videos, as if it were a video
FRAMES = 30  # of the camera, a second
PAUSE = 4  # s between trials
SKIPPED = 4  # s at the start of a trial that have no row of features
# columns of features; LBP-TOP: planes and bins of each
GSR, PPG, PLANES, BINS = (28, 27, 3, 256)
# the head of an MP4 file, and nothing after it
VIDEO = "\0\0\0\x18ftypisom\0\0\2\0isomiso2"
NOTICE = (
    "Simulated files in the layout of DMER (mpcl.simulation.dmer_twin). "
    "Nobody was measured.\n"
)


Signals = Mapping[str, np.ndarray]  # (channel, sample) of the whole session


def write_twin(
    root: str | Path,
    participants: int | Sequence[int] = 2,
    seed: int = 0,
    forms: Sequence[str] = tuple(FORMS),
    seconds: tuple[int, int] = (12, 16),
) -> Path:
    """Write a folder in the layout of DMER, of simulated participants.

    Args:
        root: the folder; it is made. ``TWIN.txt`` in it says what the files are.
        participants: how many, or their numbers (of ``PARTICIPANTS``).
        seed: a participant does not depend on who else is written, nor in which forms.
        forms: any of ``features``, ``aligned``, ``raw``; the questionnaires, in
            ``Raw_data``, are always there.
        seconds: shortest and longest clip, whole seconds, at least 6.

    Raises:
        ParameterError: for an unknown participant or form, and for wrong lengths.
        DatasetError: where files of a participant lie already.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = write_twin(folder, [5], forms=["features"], seconds=(6, 6))
        ...     files = sorted(path.relative_to(root) for path in root.rglob("*.*"))
        ...     [path.as_posix() for path in files[:2]]
        ['Features/5.mat', 'Raw_data/5/5/Arousal_Valence.csv']
    """
    root = Path(root)
    numbers = twins.choose(participants, PARTICIPANTS, seed)
    if unknown := set(forms) - FORMS.keys():
        listed = ", ".join(sorted(map(repr, unknown)))
        raise ParameterError(f"unknown form {listed}; choose of {', '.join(FORMS)}")
    if not 6 <= seconds[0] <= seconds[1] or any(length % 1 for length in seconds):
        raise ParameterError(
            f"seconds must be two whole numbers of at least 6, in order, not "
            f"{seconds!r}"
        )
    layouts = ("Features/{}.mat", "Aligned_data/{}", "Raw_data/{}")
    places = [layout.format(number) for layout in layouts for number in numbers]
    twins.begin(root, places, NOTICE)
    for number in numbers:
        _participant(root, number, seed, forms, seconds)
    return root


def _participant(
    root: Path, number: int, seed: int, forms: Sequence[str], seconds: tuple[int, int]
) -> None:
    """All files of one participant; each form has random numbers of its own."""
    random = np.random.default_rng([seed, number]).spawn(5)
    draw = dict(zip(("answers", "signals", *FORMS), random, strict=True))
    intensity = _feel(seed, draw["answers"])
    vids = draw["answers"].permutation(len(TYPES))  # in the order of presentation
    trials = _session(vids, seconds)
    raw = root / "Raw_data" / str(number)
    if forms:  # without practice and rest nothing is felt
        of, recorded = _record(intensity[vids], trials[2:, 1:], draw["signals"])
        if "features" in forms:
            path = root / "Features" / f"{number}.mat"
            _write_features(path, recorded, of, trials[2:], draw["features"])
        if "aligned" in forms:
            _write_aligned(root / "Aligned_data" / str(number), recorded, trials[1:])
        if "raw" in forms:
            _write_wristband(raw / str(number), recorded, trials, draw["raw"])
            _write_headset(raw / f"sub{number}", recorded, trials, draw["raw"])
    above = 10 if number == 26 else 0
    _write_answers(raw / str(number), vids, intensity, above, draw["answers"])


def _session(vids: np.ndarray, seconds: tuple[int, int]) -> np.ndarray:
    """Practice, rest, and the videos in the order of presentation.

    Returns:
        (trial, 3): video id, start and stop in seconds.
    """
    of_videos = seconds[0] + 7 * vids % (seconds[1] - seconds[0] + 1)
    lengths = np.concatenate([[5, 10], of_videos])
    stops = np.cumsum(PAUSE + lengths)
    return np.stack([[PRACTICE, REST, *vids], stops - lengths, stops], 1)


def _feel(seed: int, random: Generator) -> np.ndarray:
    """Intensities u (video, emotion), in the order of ``latent.EMOTIONS``."""
    root = np.linalg.cholesky(latent.correlation()).T
    mean = latent.mean_log_odds(TYPES.tolist())
    everybody = np.random.default_rng([seed, 0])  # feels the same of a clip
    clip = latent.CLIP_SD * (everybody.standard_normal(mean.shape) @ root)
    person = latent.PARTICIPANT_SD * (random.standard_normal(mean.shape[1]) @ root)
    both = latent.INTERACTION_SD * (random.standard_normal(mean.shape) @ root)
    return expit(latent.BASE + mean + (clip + person + both))


def _write_answers(
    folder: Path,
    vids: np.ndarray,
    intensity: np.ndarray,
    above: int,
    random: Generator,
) -> None:
    """The three questionnaires; ``above`` is added to the ten words."""
    columns = [latent.EMOTIONS.index(item) for item in ITEMS]
    noise = simulated.ANSWER_SD * random.standard_normal(intensity.shape)
    words = (1 + 4 * intensity[:, columns] + noise).clip(1, 5)
    felt = simulated.affect(intensity)
    valence, arousal = 5 + 4 * felt[:, 10], 1 + 8 * felt[:, 11]
    near = [latent.EMOTIONS.index(emotion) for emotion in ("enthusiastic", "upset")]
    tables = {
        "Panas": above + words,
        "Emotions": 1 + 4 * felt[:, near],
        "Arousal_Valence": np.stack(
            [arousal, valence, random.integers(1, 10, len(vids))], 1
        ),
    }
    for name, answers in tables.items():
        _csv(folder / f"{name}.csv", np.column_stack([vids, answers[vids]]))


def _csv(
    path: Path, table: np.ndarray, form: str | list[str] = "%.0f", header: str = ""
) -> None:
    with whole(path) as part:
        np.savetxt(part, table, form, ",", header=header, comments="", encoding="ascii")


def _record(
    intensity: np.ndarray, spans: np.ndarray, random: Generator
) -> tuple[dict[str, np.ndarray], Signals]:
    """What was planted, each state (second,), and the signals of the whole session."""
    duration = int(spans[-1, 1]) + PAUSE
    of = twins.embody(intensity, spans, duration, random)
    breaths, beats, responses = rhythms(of, duration, random, random, random)
    at = {name: (duration, rate, random) for name, rate in RATES.items()}
    power = band_power(of, list(CHANNELS.values()))
    skin = (of["SCL"], responses, of["SCR amplitude"])
    return of, {
        "eeg": body.simulate_eeg(power, *at["eeg"]).T,
        "gsr": body.simulate_eda(*skin, *at["gsr"])[None],
        "ppg": body.simulate_pulse(beats, of["pulse amplitude"], *at["ppg"])[None],
    }


def _write_features(
    path: Path,
    recorded: Signals,
    of: Mapping[str, np.ndarray],
    trials: np.ndarray,
    random: Generator,
) -> None:
    """Rows of one second each: 18 x 5 differential entropies, GSR, PPG and the face."""
    vids = [np.full(stop - start - SKIPPED, vid) for vid, start, stop in trials]
    seconds = [np.arange(start + SKIPPED, stop) for _, start, stop in trials]
    second = np.concatenate(seconds)
    brain = features.eeg(
        recorded["eeg"].T,
        RATES["eeg"],
        np.stack([second, second + 1.0], 1),
        list(CHANNELS),
    )
    columns = [
        brain.values,
        _statistics(recorded["gsr"][0], RATES["gsr"], second)[:, :GSR],
        _statistics(recorded["ppg"][0], RATES["ppg"], second)[:, :PPG],
        _faces(of, second, random),
    ]
    _save(path, {"feas": np.concatenate(columns, 1), "vids": np.concatenate(vids)})


def _faces(
    of: Mapping[str, np.ndarray], second: np.ndarray, random: Generator
) -> np.ndarray:
    """LBP-TOP (second, plane x bin): histograms that follow the muscles of the face."""
    texture = random.standard_normal((PLANES, BINS))
    muscles = np.log([of[f"{unit} mean"] for unit in simulated.ACTION_UNITS])
    shown = np.einsum(
        "upb,us->spb",
        0.1 * random.standard_normal((len(muscles), PLANES, BINS)),
        muscles[:, second],
    )
    pattern = np.exp(texture + shown + 0.1 * random.standard_normal(shown.shape))
    return (pattern / pattern.sum(-1, keepdims=True)).reshape(len(second), -1)


def _statistics(signal: np.ndarray, rate: int, second: np.ndarray) -> np.ndarray:
    """28 plain statistics of the four seconds that end with each (row, statistic)."""
    first = (second[:, None] + 1 - SKIPPED) * rate
    cut = signal[first + np.arange(SKIPPED * rate)]  # (row, sample)
    centred = cut - cut.mean(1, keepdims=True)
    columns: list[np.ndarray] = []
    for values in (cut, np.diff(cut), np.diff(cut, n=2), centred):
        for measure in (np.mean, np.std, np.min, np.max, np.median, np.ptp):
            columns.append(measure(values, axis=1))
        columns.append(np.abs(values).mean(1))
    return np.stack(columns, 1)


def _write_aligned(folder: Path, recorded: Signals, trials: np.ndarray) -> None:
    """The trials one after another, with two rows: which video, and which second."""
    contents: dict[str, np.ndarray | int] = {}
    for name, rate in RATES.items():
        cuts = []
        for vid, start, stop in trials:
            sample = np.arange((stop - start) * rate)
            second = np.where(sample % rate == 0, sample // rate, -1)
            signal = recorded[name][:, start * rate : stop * rate]
            cuts.append(np.vstack([signal, np.full(len(sample), vid), second]))
        contents |= {f"{name}_datas": np.concatenate(cuts, 1), f"fs_{name}": rate}
    _save(folder / "datas.mat", contents)
    for vid in range(len(TYPES)):
        write_text(VIDEO, folder / f"{vid}.mp4")


def _save(path: Path, contents: Mapping[str, np.ndarray | int]) -> None:
    with whole(path) as part, part.open("wb") as file:
        savemat(file, dict(contents), do_compression=True)


def _write_wristband(
    folder: Path, recorded: Signals, trials: np.ndarray, random: Generator
) -> None:
    """Wristband and camera, with the triggers k + 10 and k + 100 in the last column."""
    begin = 1.6e9 + float(random.integers(10**7))  # s, the computer's clock
    for name in ("gsr", "ppg"):
        values = recorded[name][0]
        codes = _triggers(trials, RATES[name], len(values))
        time = begin + np.arange(len(values)) / RATES[name]
        lines = [
            f"{at:.3f},{value:.4f}" + (f",{code}" if code else "")
            for at, value, code in zip(time, values, codes, strict=True)
        ]
        write_text("\n".join([*lines, ""]), folder / f"raw_{name}.csv")
    frame = np.arange(FRAMES * recorded["gsr"].shape[1] // RATES["gsr"])
    codes = _triggers(trials, FRAMES, len(frame))
    table = np.column_stack([begin + frame / FRAMES, frame, codes])
    _csv(folder / "camera.csv", table, ["%.3f", "%d", "%d"])
    write_text(VIDEO, folder / "1_XXX.mp4")


def _write_headset(
    folder: Path, recorded: Signals, trials: np.ndarray, random: Generator
) -> None:
    """The file of the headset's columns, and two of its vendor's."""
    samples = recorded["eeg"].shape[1]
    ears = 5 * random.standard_normal((2, samples))
    rows = dict(zip(CHANNELS, recorded["eeg"], strict=True))
    rows |= {"A1": ears[0], "A2": ears[1], "Pz": 0 * ears[0]}
    columns = [
        np.arange(samples) / RATES["eeg"],
        *(rows[name] for name in HEADSET),
        _triggers(trials, RATES["eeg"], samples),
    ]
    form = ["%.4f", *["%.2f"] * len(HEADSET), "%d"]
    header = ",".join(["Time", *HEADSET, "Trigger"])
    _csv(folder / "1_raw.csv", np.column_stack(columns), form, header)
    for name in ("1_.dsi", "1_raw.edf"):
        write_text(NOTICE, folder / name)


def _triggers(trials: np.ndarray, rate: int, samples: int) -> np.ndarray:
    codes = np.zeros(samples, int)
    codes[trials[:, 1] * rate] = trials[:, 0] + 10
    codes[trials[:, 2] * rate] = trials[:, 0] + 100
    return codes
