"""The simulated cohort from raw signals: the same people, clips, feelings and labels, measured as voltages.

What :func:`mpcl.data.simulated.cohort` has as standardised features z of a window (drive, noise, artefacts, lost
sensors and all) is here the state of a body: a heart rate, a skin conductance level, the power of an EEG band. One
recording a participant is simulated from it (:mod:`mpcl.data.signals`), and features are extracted from that by the
code that reads WESAD (:mod:`mpcl.data.features`). States glide from window to window; what was really planted in each
window stands in ``truth_state``, so that extraction can be judged apart from prediction.
"""

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator

from mpcl.data import features, signals, simulated
from mpcl.data.contract import check

# One SD of a standardised feature in the units of the body: unit, typical value, change an SD, and whether it is
# added (+) or multiplies, as exp(change z) (x). Our choice, for resting adults; with OFFSET_SD people differ by about
# twice what they change. Beyond LIMIT SDs a state stays where it is, within what a body can do.
# fmt: off
LIMIT = 4.0
STATES = {
    "heart rate": ("1/min", 72.0, 5.0, "+"), "RMSSD": ("ms", 35.0, 0.25, "x"),
    "pulse amplitude": ("a.u.", 50.0, 0.2, "x"),
    "SCL": ("µS", 5.0, 0.25, "x"), "SCR count": ("1/min", 6.0, 0.25, "x"), "SCR amplitude": ("µS", 0.3, 0.25, "x"),
    "breathing rate": ("1/min", 15.0, 0.1, "x"), "breathing depth": ("%", 10.0, 0.2, "x"),
    "breathing variability": ("1", 0.2, 0.2, "x"), "skin temperature": ("°C", 32.5, 0.6, "+"),
    "head pitch": ("°", 0.0, 5.0, "+"), "head motion": ("g", 0.02, 0.25, "x"),
}
BAND_POWER = {"delta": 40.0, "theta": 20.0, "alpha": 30.0, "beta": 8.0, "gamma": 3.0}  # µV², resting, eyes open
STATES |= {f"{channel} {band}": ("µV²", BAND_POWER[band], 0.4, "x")
           for channel in simulated.CHANNELS for band in simulated.BANDS}
STATES |= {f"{unit} mean": ("1", 0.6, 0.25, "x") for unit in simulated.ACTION_UNITS}
STATES |= {f"{unit} std": ("1", 0.3, 0.3, "x") for unit in simulated.ACTION_UNITS}
RATES = {"ecg": 256, "ppg": 64, "eda": 8, "respiration": 32, "temperature": 4, "eeg": 128, "face": 25, "head": 32}
FROM = {name: name for name in RATES} | {"ecg": "cardiac", "ppg": "cardiac"}  # whose sensor is lost when
SOURCES = {
    "ecg": "electrocardiogram", "ppg": "pulse at the finger", "eda": "electrodermal activity",
    "respiration": "chest belt", "temperature": "skin temperature of the hand", "eeg": "electroencephalogram",
    "face": "action units of a face video", "head": "accelerometer on the head",
}
# fmt: on


def states(drive):
    """What standardised features are in the units of the body.

    Args:
        drive: (..., feature), in SDs, in the order of ``simulated.FEATURES``, as of
            :func:`mpcl.data.simulated.drive` or :func:`mpcl.data.simulated.features`.

    Returns:
        :class:`xarray.DataArray` (..., state) with the coordinate ``unit (state)``; features that no signal is made
        from (such as LF/HF) are left out.

    Example:
        >>> states(np.zeros(94)).sel(state=["heart rate", "Fz alpha"]).values.tolist()
        [72.0, 30.0]
    """
    names = [feature for listed in simulated.FEATURES.values() for feature in listed]
    z = np.clip(drive, -LIMIT, LIMIT)[..., [names.index(state) for state in STATES]]
    unit, typical, change, how = map(np.array, zip(*STATES.values(), strict=True))
    values = np.where(how == "+", typical + change * z, typical * np.exp(change * z))
    dims = [f"dim_{axis}" for axis in range(values.ndim - 1)]
    return xr.DataArray(values, dims=(*dims, "state"), coords={"state": list(STATES), "unit": ("state", unit)})


def hold(planted, starts, stops, duration):
    """States that hold from the start to the stop of each segment, with straight lines between segments.

    Args:
        planted: (segment, state) of :func:`states`.
        starts, stops: (segment,) seconds, ascending.
        duration: seconds.

    Returns:
        {state: (second,)}, as :mod:`mpcl.data.signals` takes them.

    Example:
        >>> hold(states(np.zeros((2, 94))), [2, 8], [4, 9], 10)["heart rate"].shape
        (11,)
    """
    knots, second = np.stack([starts, stops], 1).ravel(), np.arange(duration + 1)
    columns = zip(planted.state.values, planted.values.T, strict=True)
    return {state: np.interp(second, knots, np.repeat(values, 2)) for state, values in columns}


def record(planned, seed=0):
    """Simulate all signals of one participant.

    Args:
        planned: the windows of one participant of :func:`mpcl.data.simulated.cohort`, in the order of time.
        seed: a non-negative integer, or a sequence of them, for the noise of this recording.

    Returns:
        signals, {modality: (sample,) or (sample, channel)} at ``RATES`` from 0 s to the end of the last trial, NaN
        where a sensor was lost; state (second, state), what was planted; and responses (response,), the seconds at
        which skin conductance responses start.

    Example:
        >>> found, state, responses = record(simulated.cohort(participants=1, clips=2, windows=2))
        >>> found["eeg"].shape, state.shape
        ((12800, 8), (101, 86))
    """
    duration = float(planned.stop[-1])
    state = _glide(planned, duration)
    of = dict(zip(STATES, state.values.T, strict=True))  # (second,) each
    draw = dict(zip(("breaths", "beats", "responses", *RATES), np.random.default_rng(seed).spawn(11), strict=True))
    arguments = {name: (duration, rate, draw[name]) for name, rate in RATES.items()}
    breaths = signals.events(of["breathing rate"], duration, draw["breaths"], of["breathing variability"])
    beats = signals.beats(of["heart rate"], of["RMSSD"], breaths, duration, draw["beats"])
    responses = signals.events(of["SCR count"], duration, draw["responses"])
    power = np.stack([[of[f"{channel} {band}"] for band in BAND_POWER] for channel in simulated.CHANNELS])
    face = {part: np.stack([of[f"{unit} {part}"] for unit in simulated.ACTION_UNITS], 1) for part in ("mean", "std")}
    found = {
        "ecg": signals.ecg(beats, *arguments["ecg"]),
        "ppg": signals.pulse(beats, of["pulse amplitude"], *arguments["ppg"]),
        "eda": signals.eda(of["SCL"], responses, of["SCR amplitude"], *arguments["eda"]),
        "respiration": signals.respiration(breaths, of["breathing depth"], *arguments["respiration"]),
        "temperature": signals.temperature(of["skin temperature"], *arguments["temperature"]),
        "eeg": signals.eeg(np.moveaxis(power, -1, 0), *arguments["eeg"]),
        "face": signals.action_units(face["mean"], face["std"], *arguments["face"]),
        "head": signals.acceleration(of["head pitch"], of["head motion"], *arguments["head"]),
    }
    for name, rate in RATES.items():
        lost = planned[FROM[name]].isnull().all(f"{FROM[name]}_feature").values
        for start, stop in zip(planned.start.values[lost], planned.stop.values[lost], strict=True):
            found[name][round(start * rate) : round(stop * rate)] = np.nan
    return found, state, responses


def measure(found, windows):
    """Extract the features of all signals, with the functions that serve recordings of real people.

    Args:
        found: signals of :func:`record`.
        windows: (window, 2), start and stop in seconds.

    Returns:
        {modality: :class:`xarray.DataArray` (window, feature)}, as :mod:`mpcl.data.features` gives them.

    Example:
        >>> found, _, _ = record(simulated.cohort(participants=1, clips=1, windows=1))
        >>> measure(found, np.array([[0.0, 40.0]]))["eda"].sel(feature="level").round(0).values
        array([5.])
    """
    options = {
        "eeg": {"channels": list(simulated.CHANNELS), "measure": "entropy"},
        "face": {"names": list(simulated.ACTION_UNITS)},
    }
    kinds = {"face": features.series, "head": features.acceleration}
    return {
        name: kinds.get(name, getattr(features, name, None))(found[name], rate, windows, **options.get(name, {}))
        for name, rate in RATES.items()
    }


def raw_cohort(participants=6, clips=8, windows=1, seed=0, epsilon=None):
    """Simulate a cohort whose features are extracted from raw signals.

    Args:
        participants, clips, windows, seed, epsilon: as of :func:`mpcl.data.simulated.cohort`; a trial lasts 40 s, and
            shorter windows than 20 s hold too few beats and breaths.

    Returns:
        :class:`xarray.Dataset` with the labels, coordinates and ``truth_*`` of that cohort, the modalities of
        ``RATES``, ``truth_state (window, state)``, the mean of what was planted in the window, and
        ``truth_responses (window)``, the number of skin conductance responses planted there.

    Raises:
        DatasetError: for what :func:`mpcl.data.simulated.cohort` refuses.

    Example:
        >>> cohort = raw_cohort(participants=1, clips=2)
        >>> cohort.sizes["window"], cohort.ppg_feature.values[:3].tolist()
        (2, ['heart_rate', 'heart_rate_slope', 'sdnn'])
    """
    planned = simulated.cohort(participants, clips, windows, seed, epsilon)
    own = [_participant(planned.isel(window=rows), (seed, number)) for number, rows in enumerate(_rows(planned))]
    dropped = [name for name in planned.variables if name.split("_")[0] in simulated.MODALITIES]
    dataset = planned.drop_vars(dropped).drop_dims("modality")
    dataset = xr.merge([dataset, xr.concat(own, "window", data_vars="minimal", coords="minimal")], join="exact")
    dataset.attrs = planned.attrs | {
        "dataset": "simulated-raw",
        "notes": "Simulated people: nothing here was measured. Features are extracted from simulated signals.",
        "citation": "Simulated by mpcl.data.simulated_raw; the design is our own.",
        "created_by": f"mpcl.data.simulated_raw.raw_cohort(participants={participants}, clips={clips}, "
        f"windows={windows}, seed={seed}, epsilon={epsilon})",
        "features": "extracted",
    }
    return check(dataset)


def _participant(planned, seed):
    """Features and truth (window, ...) of one participant."""
    found, state, responses = record(planned, seed)
    windows = np.stack([planned.start, planned.stop], 1)
    dataset = xr.Dataset()
    for name, table in measure(found, windows).items():
        branch = planned[FROM[name]].attrs["branch"]
        dataset.coords[f"{name}_feature"] = table.feature.values
        dataset.coords[f"{name}_unit"] = (f"{name}_feature", table.unit.values)
        attrs = {"branch": branch, "source": f"simulated {SOURCES[name]}, {RATES[name]} samples a second"}
        dataset[name] = (("window", f"{name}_feature"), table.values, attrs)
        dataset[f"{name}_quality"] = ("window", table.quality.values)
    mean = [state.sel(second=slice(start, stop)).mean("second").values for start, stop in windows]
    dataset.coords["state"], dataset.coords["state_unit"] = state.state.values, ("state", state.unit.values)
    dataset["truth_state"] = (("window", "state"), np.stack(mean))
    inside = (responses >= windows[:, :1]) & (responses < windows[:, 1:])
    dataset["truth_responses"] = ("window", inside.sum(1))
    return dataset


def _glide(planned, duration):
    """The states at each second (second, state): those of the windows at their middles, no overshoot between."""
    z = np.concatenate([planned[name].values for name in simulated.MODALITIES], 1)
    planted, middle = states(z), ((planned.start + planned.stop) / 2).values
    second = np.arange(int(np.ceil(duration)) + 1)
    trace = np.repeat(states(np.zeros(z.shape[1])).values[None], len(second), 0)  # where a sensor was never on
    for column, values in enumerate(planted.values.T):
        known = np.isfinite(values)
        if known.sum() > 1:
            within = second.clip(middle[known][0], middle[known][-1])
            trace[:, column] = PchipInterpolator(middle[known], values[known])(within)
        elif known.any():
            trace[:, column] = values[known]
    coords = {"second": second, "state": planted.state, "unit": planted.unit}
    return xr.DataArray(trace, dims=("second", "state"), coords=coords)


def _rows(planned):
    """The windows of each participant in turn."""
    return [np.flatnonzero(planned.participant.values == name) for name in dict.fromkeys(planned.participant.values)]
