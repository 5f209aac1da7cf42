"""The simulated cohort from raw signals: the same people, measured as voltages.

What :func:`mpcl.simulation.cohort.cohort` has as standardised features z of a window
(drive, noise, artefacts, lost sensors and all) is here the state of a body: a heart
rate, a skin conductance level, the power of an EEG band. One recording a participant is
simulated from it (:mod:`mpcl.simulation.body`), and features are extracted from that by
the code that reads WESAD (:mod:`mpcl.data.features`). States glide from window to
window; what was really planted in each window stands in ``truth_state``, so that
extraction can be judged apart from prediction.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.random import Generator
from scipy.interpolate import PchipInterpolator

from mpcl.data import features
from mpcl.data.contract import check
from mpcl.data.windowing import as_modality
from mpcl.simulation import body
from mpcl.simulation import cohort as simulated

Extract: TypeAlias = Callable[..., xr.DataArray]  # of mpcl.data.features
Rhythms: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # see rhythms

# One SD of a standardised feature in the units of the body: unit, typical value, change
# an SD, and whether it is added (+) or multiplies, as exp(change z) (x). Our choice,
# for resting adults; with OFFSET_SD people differ by about twice what they change.
# Beyond LIMIT SDs a state stays where it is, within what a body can do. fmt: off
LIMIT = 4.0
STATES = {
    "heart rate": ("1/min", 72.0, 5.0, "+"),
    "RMSSD": ("ms", 35.0, 0.25, "x"),
    "pulse amplitude": ("a.u.", 50.0, 0.2, "x"),
    "SCL": ("µS", 5.0, 0.25, "x"),
    "SCR count": ("1/min", 6.0, 0.25, "x"),
    "SCR amplitude": ("µS", 0.3, 0.25, "x"),
    "breathing rate": ("1/min", 15.0, 0.1, "x"),
    "breathing depth": ("%", 10.0, 0.2, "x"),
    "breathing variability": ("1", 0.2, 0.2, "x"),
    "skin temperature": ("°C", 32.5, 0.6, "+"),
    "head pitch": ("°", 0.0, 5.0, "+"),
    "head motion": ("g", 0.02, 0.25, "x"),
}
BAND_POWER = {
    "delta": 40.0,
    "theta": 20.0,
    "alpha": 30.0,
    "beta": 8.0,
    "gamma": 3.0,
}  # µV², resting, eyes open
STATES |= {
    f"{channel} {band}": ("µV²", BAND_POWER[band], 0.4, "x")
    for channel in simulated.CHANNELS
    for band in simulated.BANDS
}
STATES |= {f"{unit} mean": ("1", 0.6, 0.25, "x") for unit in simulated.ACTION_UNITS}
STATES |= {f"{unit} std": ("1", 0.3, 0.3, "x") for unit in simulated.ACTION_UNITS}
RATES = {
    "ecg": 256,
    "ppg": 64,
    "eda": 8,
    "respiration": 32,
    "temperature": 4,
    "eeg": 128,
    "face": 25,
    "head": 32,
}
# of each modality: whose sensor is lost when, what it is, how features are extracted
SENSORS: dict[str, tuple[str, str, Extract]] = {
    "ecg": ("cardiac", "electrocardiogram", features.ecg),
    "ppg": ("cardiac", "pulse at the finger", features.ppg),
    "eda": ("eda", "electrodermal activity", features.eda),
    "respiration": ("respiration", "chest belt", features.respiration),
    "temperature": (
        "temperature",
        "skin temperature of the hand",
        features.temperature,
    ),
    "eeg": (
        "eeg",
        "electroencephalogram",
        partial(features.eeg, channels=list(simulated.CHANNELS)),
    ),
    "face": (
        "face",
        "action units of a face video",
        partial(features.series, names=list(simulated.ACTION_UNITS)),
    ),
    "head": ("head", "accelerometer on the head", features.acceleration),
}


def states(drive: np.ndarray) -> xr.DataArray:
    """What standardised features are in the units of the body.

    Args:
        drive: (..., feature), in SDs, in the order of ``simulated.FEATURES``, as of
            :func:`mpcl.simulation.cohort.drive` or
            :func:`mpcl.simulation.cohort.features`.

    Returns:
        (..., state) with the coordinate ``unit (state)``; features that no signal is
        made from (such as LF/HF) are left out.

    Example:
        >>> states(np.zeros(94)).sel(state=["heart rate", "Fz alpha"]).values.tolist()
        [72.0, 30.0]
    """
    names = [feature for listed in simulated.FEATURES.values() for feature in listed]
    z = np.clip(drive, -LIMIT, LIMIT)[..., [names.index(state) for state in STATES]]
    unit, typical, change, how = map(np.array, zip(*STATES.values(), strict=True))
    return xr.DataArray(
        np.where(how == "+", typical + change * z, typical * np.exp(change * z)),
        {"state": list(STATES), "unit": ("state", unit)},
        (*(f"dim_{axis}" for axis in range(z.ndim - 1)), "state"),
    )


def hold(
    planted: xr.DataArray, spans: np.ndarray, duration: int
) -> dict[str, np.ndarray]:
    """States that hold from the start to the stop of each segment, straight in between.

    Args:
        planted: (segment, state) of :func:`states`.
        spans: (segment, 2), start and stop in seconds, ascending.
        duration: seconds.

    Returns:
        each state (second,), as :mod:`mpcl.simulation.body` takes them.

    Example:
        >>> spans = np.array([[2, 4], [8, 9]])
        >>> hold(states(np.zeros((2, 94))), spans, 10)["heart rate"].shape
        (11,)
    """
    second = np.arange(duration + 1)
    return {
        state: np.interp(second, spans.ravel(), np.repeat(values, 2))
        for state, values in zip(STATES, planted.values.T, strict=True)
    }


def rhythms(
    of: Mapping[str, np.ndarray],
    duration: float,
    breath: Generator,
    beat: Generator,
    response: Generator,
) -> Rhythms:
    """Seconds at which a body breathes (breath,), beats (beat,), responds (response,).

    Args:
        of: each state (second,).
        breath, beat, response: what they are drawn with.
    """
    rate, variability = of["breathing rate"], of["breathing variability"]
    breaths = body.events(rate, duration, breath, variability)
    beats = body.beats(of["heart rate"], of["RMSSD"], breaths, duration, beat)
    return breaths, beats, body.events(of["SCR count"], duration, response)


def record(
    planned: xr.Dataset, seed: int | Sequence[int] = 0
) -> tuple[dict[str, np.ndarray], xr.DataArray, np.ndarray]:
    """Simulate all signals of one participant.

    Args:
        planned: the windows of one participant of
            :func:`mpcl.simulation.cohort.cohort`, in the order of time.
        seed: for the noise of this recording.

    Returns:
        signals (sample,) or (sample, channel) of each modality, at ``RATES`` from 0 s
        to the end of the last trial, NaN where a sensor was lost; state (second,
        state), what was planted; and responses (response,), the seconds at which skin
        conductance responses start.

    Example:
        >>> planned = simulated.cohort(participants=1, clips=2, windows=2)
        >>> signals, state, responses = record(planned)
        >>> signals["eeg"].shape, state.shape
        ((12800, 8), (101, 86))
    """
    duration = float(planned.stop[-1])
    state = _glide(planned, duration)
    of = dict(zip(STATES, state.values.T, strict=True))  # (second,) each
    random = np.random.default_rng(seed).spawn(11)
    timing = rhythms(of, duration, *random[:3])
    signals = _signals(of, timing, duration, random[3:])
    for name, rate in RATES.items():
        is_lost = planned[SENSORS[name][0]].isnull().all(f"{SENSORS[name][0]}_feature")
        spans = np.stack([planned.start, planned.stop], 1)[is_lost]
        for first, last in np.round(spans * rate).astype(int):
            signals[name][first:last] = np.nan
    return signals, state, timing[2]


def _signals(
    of: Mapping[str, np.ndarray],
    timing: Rhythms,
    duration: float,
    random: Sequence[Generator],
) -> dict[str, np.ndarray]:
    """The signal of each modality, ``random`` being in the order of ``RATES``."""
    breaths, beats, responses = timing
    at = {
        name: (duration, rate, generator)
        for (name, rate), generator in zip(RATES.items(), random, strict=True)
    }
    skin = (of["SCL"], responses, of["SCR amplitude"])
    mean = np.stack([of[f"{unit} mean"] for unit in simulated.ACTION_UNITS], 1)
    sd = np.stack([of[f"{unit} std"] for unit in simulated.ACTION_UNITS], 1)
    power = band_power(of, list(simulated.CHANNELS))
    return {
        "ecg": body.simulate_ecg(beats, *at["ecg"]),
        "ppg": body.simulate_pulse(beats, of["pulse amplitude"], *at["ppg"]),
        "eda": body.simulate_eda(*skin, *at["eda"]),
        "respiration": body.simulate_respiration(
            breaths, of["breathing depth"], *at["respiration"]
        ),
        "temperature": body.simulate_temperature(
            of["skin temperature"], *at["temperature"]
        ),
        "eeg": body.simulate_eeg(power, *at["eeg"]),
        "face": body.simulate_action_units(mean, sd, *at["face"]),
        "head": body.simulate_acceleration(
            of["head pitch"], of["head motion"], *at["head"]
        ),
    }


def band_power(of: Mapping[str, np.ndarray], channels: Sequence[str]) -> np.ndarray:
    """The planted power (second, channel, band) of simulated channels."""
    power = [[of[f"{channel} {band}"] for band in BAND_POWER] for channel in channels]
    return np.moveaxis(np.array(power), -1, 0)


def measure(
    signals: Mapping[str, np.ndarray], windows: np.ndarray
) -> dict[str, xr.DataArray]:
    """Extract the features of all signals, as from recordings of real people.

    Args:
        signals: those of :func:`record`.
        windows: (window, 2), start and stop in seconds.

    Returns:
        (window, feature) of each modality, as :mod:`mpcl.data.features` gives them.

    Example:
        >>> planned = simulated.cohort(participants=1, clips=1, windows=1)
        >>> tables = measure(record(planned)[0], np.array([[0.0, 40.0]]))
        >>> tables["eda"].sel(feature="level").round(0).values
        array([5.])
    """
    return {
        name: extract(signals[name], RATES[name], windows)
        for name, (_, _, extract) in SENSORS.items()
    }


def raw_cohort(
    participants: int = 6,
    clips: int = 8,
    windows: int = 1,
    seed: int = 0,
    epsilon: float | None = None,
) -> xr.Dataset:
    """Simulate a cohort whose features are extracted from raw signals.

    Arguments are those of :func:`mpcl.simulation.cohort.cohort`; a trial lasts 40 s,
    and windows shorter than 20 s hold too few beats and breaths.

    Returns:
        the labels, coordinates and ``truth_*`` of that cohort, the modalities of
        ``RATES``, ``truth_state (window, state)``, the mean of what was planted in the
        window, and ``truth_responses (window)``, the number of skin conductance
        responses planted there.

    Raises:
        ParameterError: for what :func:`mpcl.simulation.cohort.cohort` refuses.

    Example:
        >>> cohort = raw_cohort(participants=1, clips=2)
        >>> cohort.sizes["window"], cohort.ppg_feature.values[:3].tolist()
        (2, ['heart_rate', 'heart_rate_slope', 'sdnn'])
    """
    planned = simulated.cohort(participants, clips, windows, seed, epsilon)
    people = planned.groupby("participant")
    parts = [_participant(rows, (seed, n)) for n, (_, rows) in enumerate(people)]
    measured = xr.concat(parts, "window", data_vars="minimal", coords="minimal")
    replaced = [
        name
        for name in planned.variables
        if str(name).split("_")[0] in simulated.MODALITIES
    ]
    dataset = planned.drop_vars(replaced).drop_dims("modality")
    dataset = xr.merge([dataset, measured], join="exact")
    call = f"{participants=}, {clips=}, {windows=}, {seed=}, {epsilon=}"
    dataset.attrs = planned.attrs | {
        "dataset": "simulated-raw",
        "notes": "Simulated people: nothing here was measured. Features are extracted "
        "from simulated signals.",
        "citation": "Simulated by mpcl.simulation.recordings; the design is our own.",
        "created_by": f"mpcl.simulation.recordings.raw_cohort({call})",
        "features": "extracted",
    }
    return check(dataset)


def _participant(planned: xr.Dataset, seed: tuple[int, int]) -> xr.Dataset:
    """Features and truth (window, ...) of one participant."""
    signals, state, responses = record(planned, seed)
    windows = np.stack([planned.start, planned.stop], 1)
    modalities = []
    for name, table in measure(signals, windows).items():
        sensor, what, _ = SENSORS[name]
        source = f"simulated {what}, {RATES[name]} samples a second"
        branch = planned[sensor].attrs["branch"]
        modalities.append(as_modality(table, name, branch, source))
    spans = [state.sel(second=slice(start, stop)) for start, stop in windows]
    is_inside = (responses >= windows[:, :1]) & (responses < windows[:, 1:])
    truth = xr.Dataset(
        {
            "truth_state": (
                ("window", "state"),
                np.stack([span.mean("second").values for span in spans]),
            ),
            "truth_responses": ("window", is_inside.sum(1)),
        },
        {"state": state.state.values, "state_unit": ("state", state.unit.values)},
    )
    return xr.merge([*modalities, truth], join="exact")


def _glide(planned: xr.Dataset, duration: float) -> xr.DataArray:
    """The states (second, state): those of windows at their middles, no overshoot.

    A state is the typical one where its sensor was never on.
    """
    z = np.concatenate([planned[name].values for name in simulated.MODALITIES], 1)
    planted = states(z)
    middle = ((planned.start + planned.stop) / 2).values
    second = np.arange(int(np.ceil(duration)) + 1)
    trace = np.tile(states(np.zeros(z.shape[1])).values, (len(second), 1))
    for column, values in enumerate(planted.values.T):
        is_present = np.isfinite(values)
        at, values = middle[is_present], values[is_present]
        if len(values) > 1:
            trace[:, column] = PchipInterpolator(at, values)(second.clip(at[0], at[-1]))
        elif len(values):
            trace[:, column] = values[0]
    coords = {"second": second, "state": planted.state, "unit": planted.unit}
    return xr.DataArray(trace, coords, ("second", "state"))
