"""The simulated cohort: people watch clips, feel, answer, are measured; truth known.

Every number of the generator stands below, and in :mod:`mpcl.simulation.latent`, with
its reason. All were fixed before any model was trained on a cohort and are never tuned
on results. The chain, *our design*, is

    latent -> ratings -> label distribution latent -> affect -> drive -> features (+
    noise of the trial, drift, noise of the window, artefacts, lost sensors)

There are two worlds: in ``gaussian`` the latent state is a sum of effects
(:func:`mpcl.simulation.latent.log_odds`), in ``blends`` it gathers about sixteen
centres (:mod:`mpcl.simulation.blends`); people, clips, questionnaire, body and random
numbers are the same.

Raw signals (ECG, EDA, EEG, ... as voltages) are made by
:mod:`mpcl.simulation.recordings` from the features of a cohort. The committed
``data/simulated.nc`` is made by::

    python -c "from mpcl.data import contract; from mpcl.simulation.cohort import
    cohort; contract.write(cohort(), 'data/simulated.nc')"

and ``data/simulated-blends.nc`` by the same with ``cohort(latent="blends")``.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.polynomial.hermite_e import hermegauss
from scipy.signal import lfilter
from scipy.special import expit, ndtr, roots_sh_jacobi

from mpcl.data import labels
from mpcl.data.contract import CONTRACT_VERSION, check
from mpcl.errors import ParameterError
from mpcl.simulation import blends, streams
from mpcl.simulation.latent import (
    BASE,
    CLIP_SD,
    EMOTIONS,
    INTERACTION_SD,
    PARTICIPANT_SD,
    VALENCE,
    clip_types,
    correlation,
    effects,
    log_odds,
    mean_log_odds,
    power,
)

BENCHMARK = {  # size of the cohorts that methods are compared on
    "participants": 40,
    "clips": 24,
    "windows": 6,
}
WORLDS = ("gaussian", "blends")

# our choice, after the circumplex
AROUSAL = np.array([0.5, 0.5, 0.9, 0.8, 0.5, 0.9, 0.6, 0.7, 0.9, 0.7])

# What is answered, 1 to 5: people use a scale shifted and stretched in their own way,
# and are not exact.
SHIFT_SD, STRETCH_SD, ANSWER_SD = 0.3, 0.15, 0.5

# What is measured: branch, share of one window's variance that affect explains within a
# participant (ours: small everywhere, largest in the face), how much people's response
# patterns differ (relative to the loadings), and source.
MODALITIES = {
    "eeg": ("physiological", 0.05, 0.8, "EEG log band power"),
    "cardiac": (
        "physiological",
        0.10,
        0.6,
        "heart rate, its variability and the pulse",
    ),
    "eda": ("physiological", 0.15, 0.5, "electrodermal level and responses"),
    "respiration": ("physiological", 0.07, 0.6, "breathing"),
    "temperature": ("physiological", 0.04, 0.7, "skin temperature of the hand"),
    "face": ("behavioural", 0.22, 0.4, "facial action units (FACS)"),
    "head": ("behavioural", 0.06, 0.6, "head pose"),
}
GAIN_SD = 0.3  # of the log gain of a modality: electrodes, skin and cameras differ
# of a feature between people, in within-person SDs: people differ more than their
# states (ICC .69)
OFFSET_SD = 1.5
EXPRESSIVITY_SD = 0.5  # of the log: some faces show much, some little
# a muscle is silent until driven, so faces answer on one side only
FACE_ONSET, FACE_SHARPNESS = (0.5, 1.2)
SATURATION = 2.0  # in SDs of the drive: bodily responses level off
# of the noise variance: state of the body on a trial, slow drift, window alone
SHARED, DRIFT, OWN = (0.4, 0.2, 0.4)
FACTORS = 3  # of the state of the body, common to all modalities
DRIFT_DECAY = 0.6  # correlation of the drift from one trial to the next
TAIL = 5  # degrees of freedom of Student's t: outliers that are no artefacts
# of single windows of a modality: movement, bad contact
ARTEFACT_RATE, ARTEFACT_SD = (0.03, 3.0)
LOSS_RATE = 0.05  # of a modality for a whole trial: a sensor came off
CLIP_SECONDS, PAUSE_SECONDS = 40.0, 20.0  # short clips, and time to rate between them

# How features answer to affect, in SDs: the textbook directions (Kreibig 2010; Davidson
# 1992; FACS).
TERMS = (*EMOTIONS, "valence", "arousal", "conflict")
# left, right, midline
CHANNELS = {"Fp1": -1, "Fp2": 1, "F3": -1, "F4": 1, "Fz": 0, "Pz": 0, "T7": -1, "T8": 1}
# of all channels: arousal lowers alpha and raises the fast bands; conflict raises theta
BANDS = {
    "delta": {"arousal": -0.3},
    "theta": {"conflict": 0.6},
    "alpha": {"arousal": -0.5},
    "beta": {"arousal": 0.5, "nervous": 0.3},
    "gamma": {"arousal": 0.4, "valence": 0.3},
}
# alpha falls on the left side as valence rises; theta is strongest at Fz
ASYMMETRY, MIDLINE_THETA = 0.8, 0.96
ACTION_UNITS = {
    "AU01": {"afraid": 0.6, "distressed": 0.6, "upset": 0.4},
    "AU02": {"scared": 0.6, "alert": 0.4},
    "AU04": {"upset": 0.8, "distressed": 0.6, "nervous": 0.3},
    "AU05": {"scared": 0.8, "afraid": 0.6, "excited": 0.3},
    "AU06": {"valence": 0.8, "enthusiastic": 0.3},
    "AU07": {"afraid": 0.4, "upset": 0.4},
    "AU09": {"upset": 0.5},
    "AU10": {"upset": 0.4, "distressed": 0.3},
    "AU12": {"valence": 1.0, "enthusiastic": 0.4, "excited": 0.3},
    "AU14": {"conflict": 0.6, "nervous": 0.3},
    "AU15": {"upset": 0.7, "distressed": 0.6},
    "AU17": {"upset": 0.5, "distressed": 0.3, "determined": 0.3},
    "AU20": {"afraid": 0.7, "scared": 0.6},
    "AU23": {"determined": 0.5, "upset": 0.4},
    "AU25": {"excited": 0.6, "scared": 0.4},
    "AU26": {"scared": 0.6, "excited": 0.3, "alert": 0.2},
    "AU45": {"nervous": 0.6, "arousal": 0.4},
}
# the parts of an aroused face move more (its standard deviations)
UNSTEADY = {"arousal": 0.3}
LOADINGS = {
    "eeg": {
        f"{channel} {band}": weights
        for channel in CHANNELS
        for band, weights in BANDS.items()
    },
    "cardiac": {
        "heart rate": {"arousal": 1.0},
        "RMSSD": {"arousal": -1.0},
        "SDNN": {"arousal": -0.6, "valence": 0.3},
        "pNN50": {"arousal": -0.9},
        "LF/HF": {"arousal": 0.5, "conflict": 0.4},
        "pulse amplitude": {"arousal": -0.7, "afraid": -0.3},
    },
    "eda": {
        "SCL": {"arousal": 1.0},
        "SCL slope": {"arousal": 0.6, "conflict": 0.3},
        "SCR count": {"arousal": 1.0, "scared": 0.3},
        "SCR amplitude": {"arousal": 0.7, "excited": 0.3},
        "SCR rise time": {"arousal": -0.3, "nervous": 0.2},
    },
    "respiration": {
        "breathing rate": {"arousal": 0.9},
        "breathing depth": {"arousal": -0.4, "inspired": 0.4},
        "breathing variability": {"nervous": 0.5, "conflict": 0.4},
    },
    "temperature": {
        "skin temperature": {"arousal": -0.7, "afraid": -0.3},
        "skin temperature slope": {"valence": 0.5, "arousal": -0.4},
    },
    "face": {f"{unit} mean": weights for unit, weights in ACTION_UNITS.items()}
    | {f"{unit} std": weights | UNSTEADY for unit, weights in ACTION_UNITS.items()},
    "head": {
        "head pitch": {"valence": 0.5, "upset": -0.5},
        "head yaw std": {"nervous": 0.6, "arousal": 0.3},
        "head roll std": {"conflict": 0.5, "inspired": 0.3},
        "head motion": {"arousal": 1.0},
    },
}
LOADINGS["eeg"] |= {
    f"{name} alpha": BANDS["alpha"] | {"valence": w * ASYMMETRY}
    for name, w in CHANNELS.items()
}
LOADINGS["eeg"]["Fz theta"] = {"conflict": MIDLINE_THETA}
# small random loadings on single emotions: no body is only valence and arousal
SPECIFIC_SD = 0.15
# of those, and of the reference population that sets units: the same for all cohorts
PHYSIOLOGY_SEED = 20260220
# participants and trials of the reference population: enough for variances to some per
# cent
REFERENCE = (400, 20)

FEATURES = {name: list(weights) for name, weights in LOADINGS.items()}
# modality of each feature
OF = np.repeat(np.arange(len(FEATURES)), [len(names) for names in FEATURES.values()])
FACE = list(FEATURES).index("face") == OF
EXPLAINED = np.array([explained for _, explained, _, _ in MODALITIES.values()])
INDIVIDUAL = np.array([individual for _, _, individual, _ in MODALITIES.values()])
# SDs of the noise of a window, where the drive has one
SIGMA = np.sqrt(1 / EXPLAINED - 1)[OF]


def ratings(intensity: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Answer the questionnaire about the feeling y = 1 + 4 u.

    The answer is round(y + shift + stretch (y - 3) + noise) within 1..5.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.

    Returns:
        rating (participant, clip, emotion) and style (participant, 2), the shift and
        stretch of each participant.

    Example:
        >>> rating, style = ratings(np.full((2, 1, 10), 0.5))
        >>> rating[0, 0]
        array([3., 4., 3., 3., 4., 4., 2., 3., 3., 3.])
    """
    style = streams.normal(seed, "style", len(intensity), 2) * [SHIFT_SD, STRETCH_SD]
    noise = ANSWER_SD * streams.normal(seed, "answer", *intensity.shape)
    return np.clip(np.round(_tendency(intensity, style) + noise), 1, 5), style


def bayes(
    intensity: np.ndarray,
    style: np.ndarray | None = None,
    epsilon: float | None = None,
) -> np.ndarray:
    """The best possible prediction E[d | u] of the label distribution.

    It is exact but for the integral over styles. With q = rating - 1 and e =
    ``epsilon``, d_c = (q_c + e) / (sum q + C e), and 1/S = integral of s^(S-1) over
    0..1 makes E[d_c] the integral of s^(C e - 1) times a polynomial in s, which
    Gauss-Jacobi quadrature gives exactly.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.
        style: (participant, 2) of :func:`ratings`; None: unknown, averaged over the
            population.
        epsilon: as in :func:`mpcl.data.labels.distribution`; None is rating/sum, which
            is the same as 1.

    Returns:
        (participant, clip, emotion), sums to one.

    Example:
        >>> bayes(np.full((1, 1, 10), 0.5)).round(3)[0, 0, :3]
        array([0.1, 0.1, 0.1])
    """
    if style is not None:
        return _expected(_tendency(intensity, style), 1 if epsilon is None else epsilon)
    nodes, weights = hermegauss(5)
    weights = weights / weights.sum()
    total = np.zeros(intensity.shape)
    for first, second in np.ndindex(len(nodes), len(nodes)):
        everyone = np.array([[nodes[first] * SHIFT_SD, nodes[second] * STRETCH_SD]])
        weight = weights[first] * weights[second]
        total = total + weight * bayes(intensity, everyone, epsilon)
    return total


def affect(intensity: np.ndarray) -> np.ndarray:
    """phi(u), to which the body answers: ten intensities, valence, arousal, conflict.

    Valence is P - N and conflict P N, with P and N the means of the positive and
    negative.

    Args:
        intensity: u (..., emotion) in 0..1.

    Returns:
        (..., 13), in the order of ``TERMS``.

    Example:
        >>> affect(np.ones(10)).round(2)[-3:]
        array([0., 1., 1.])
    """
    positive = intensity[..., VALENCE > 0].mean(-1)
    negative = intensity[..., VALENCE < 0].mean(-1)
    arousal = intensity @ AROUSAL / AROUSAL.sum()
    terms = [positive - negative, arousal, positive * negative]
    return np.concatenate([intensity, np.stack(terms, -1)], -1)


def drive(intensity: np.ndarray, seed: int = 0) -> np.ndarray:
    """What affect does to each feature, before any noise: f(W_s phi).

    Bodily responses level off, faces answer on one side only and by the participant's
    expressivity. *Our design*: individual response stereotypy as loadings
    W_s = W + v |W| N(0, 1) of the participant.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.

    Returns:
        (participant, clip, feature), of variance one within an average participant.

    Example:
        >>> drive(np.full((2, 3, 10), 0.5)).shape
        (2, 3, 94)
    """
    centre, spread, loadings, scale = _physiology()
    return _respond((affect(intensity) - centre) / spread, loadings, seed) / scale


def explained(driven: np.ndarray) -> np.ndarray:
    """The share (modality,) of one window's variance that a drive really explains.

    Within participants; the mean over the features of a modality. Units are those of
    the Gaussian world's reference population, so it differs a little from what was
    planned (``MODALITIES``).

    Args:
        driven: (participant, clip, feature) of :func:`drive`.
    """
    variance = driven.var(1, ddof=1).mean(0)
    share = variance / (variance + SIGMA**2)
    return np.bincount(OF, share) / np.bincount(OF)


def features(
    driven: np.ndarray, order: np.ndarray, windows: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Measure: drive plus noise in the participant's own gains and offsets.

    x = (gain (z + sigma n) + offset) / sqrt(1 + sigma^2), where sigma = sqrt(1 / R2 -
    1) makes affect explain the share R2 of one window's variance. Of the noise n, 40 %
    are three factors drawn once a trial, 20 % drift over the presentation order, 40 %
    Student's t of the window itself. Then artefacts strike, and sensors are lost.

    Args:
        driven: z (participant, clip, feature) of :func:`drive`.
        order: (participant, clip), the position at which each clip was shown.
        windows: number of windows a trial.

    Returns:
        values (participant, clip, window, feature), NaN where a sensor was lost, in
        within-participant SDs; and artefact (participant, clip, window, modality), true
        where one struck.

    Example:
        >>> order = np.tile(np.arange(3), (2, 1))
        >>> values, artefact = features(np.zeros((2, 3, 94)), order, windows=4)
        >>> values.shape, artefact.shape
        ((2, 3, 4, 94), (2, 3, 4, 7))
    """
    count = len(MODALITIES)
    shape = (*order.shape, windows)
    gain = np.exp(GAIN_SD * streams.normal(seed, "gain", len(order), count))
    offset = OFFSET_SD * streams.normal(seed, "offset", len(order), len(OF))
    response = driven[:, :, None] + SIGMA * noise(order, windows, seed)
    values = gain[:, None, None, OF] * response / np.sqrt(1 + SIGMA**2)
    values = values + offset[:, None, None]  # (participant, clip, window, feature)
    artefact = streams.uniform(seed, "artefact", *shape, count) < ARTEFACT_RATE
    size = ARTEFACT_SD * streams.normal(seed, "size", *shape, len(OF))
    values = values + size * artefact[..., OF]
    lost = streams.uniform(seed, "loss", *order.shape, count) < LOSS_RATE
    return np.where(lost[:, :, None, OF], np.nan, values), artefact


def noise(order: np.ndarray, windows: int, seed: int = 0) -> np.ndarray:
    """Noise of variance one: state of the body on the trial, slow drift, heavy tails.

    Args:
        order: (participant, clip), the position at which each clip was shown.
        windows: of a trial; the drift decays by .6 a trial, however many there are.

    Returns:
        (participant, clip, window, feature).

    Example:
        >>> noise(np.array([[1, 0]]), windows=3).shape
        (1, 2, 3, 94)
    """
    participants, clips = order.shape
    shape = (clips, windows, len(OF))
    factor = streams.normal(PHYSIOLOGY_SEED, "factor", len(OF), FACTORS)
    factor = factor / np.linalg.norm(factor, axis=1, keepdims=True)  # (feature, factor)
    shared = streams.normal(seed, "shared", participants, clips, FACTORS) @ factor.T
    decay = DRIFT_DECAY ** (1 / windows)
    steps = streams.normal(seed, "drift", participants, clips * windows, len(OF))
    steps[:, 1:] *= np.sqrt(1 - decay**2)  # the first has the variance that it keeps
    drift = np.asarray(lfilter([1], [1, -decay], steps, axis=1))
    drift = drift.reshape(participants, *shape)
    drift = np.take_along_axis(drift, order[:, :, None, None], 1)  # by clip
    tails = streams.draw(seed, "own", participants, lambda r: r.standard_t(TAIL, shape))
    slow = np.sqrt(SHARED) * shared[:, :, None] + np.sqrt(DRIFT) * drift
    return slow + np.sqrt(OWN) * (tails / np.sqrt(TAIL / (TAIL - 2)))


def cohort(
    participants: int = 24,
    clips: int = 16,
    windows: int = 5,
    seed: int = 0,
    epsilon: float | None = None,
    latent: str = "gaussian",
) -> xr.Dataset:
    """Simulate a cohort as a contract data set, with its truth in ``truth_*``.

    Args:
        participants, clips: how many; everybody sees every clip, in an order of their
            own.
        windows: windows a trial (of 40 / ``windows`` seconds); they share label and
            state.
        seed: the same seed gives the same cohort, and more participants leave the
            others alone.
        epsilon: None for rating/sum labels, else as in
            :func:`mpcl.data.labels.distribution`.
        latent: the world, ``gaussian`` or ``blends``.

    Returns:
        94 features of 7 modalities, ordered by participant and time. In ``blends``,
        ``truth_blend (window)`` is the number of the centre, and modalities have the
        attribute ``explained_variance_realised`` of :func:`explained`.

    Raises:
        ParameterError: for a size below 1, a negative seed, an ``epsilon`` that is not
            positive, or an unknown world.

    Example:
        >>> small = cohort(participants=2, clips=4, windows=3)
        >>> first = small.isel(window=0)
        >>> small.sizes["window"], first.trial.item(), first.condition.item()
        (24, 'P01-C03', 'mixed')
    """
    sizes = {"participants": participants, "clips": clips, "windows": windows}
    _check_choices(sizes, seed, epsilon, latent)
    drawn = effects(participants, clips, seed)
    truth: dict[str, np.ndarray] = {}
    eta = log_odds(*drawn)
    if latent == "blends":
        eta, truth["blend"] = blends.log_odds(*drawn)
    intensity = expit(eta)
    rating, style = ratings(intensity, seed)
    # (participant, position): the clip that is shown first, second, ...
    sequence = np.argsort(streams.uniform(seed, "order", participants, clips), 1)
    order = np.argsort(sequence, 1)  # (participant, clip): when it is shown
    driven = drive(intensity, seed)
    values, artefact = features(driven, order, windows, seed)
    truth |= {
        "intensity": intensity,
        "eta": eta,
        "clip_effect": np.broadcast_to(drawn.clip, eta.shape),
        "participant_effect": np.broadcast_to(drawn.participant[:, None], eta.shape),
        "bayes": bayes(intensity, None, epsilon),
        "bayes_style": bayes(intensity, style, epsilon),
    }
    rows = _rows(sequence, windows)
    dataset = xr.Dataset(coords=_coords(order, rows, windows))
    dataset.attrs = _attributes(sizes, seed, epsilon, latent)
    realised = None if latent == "gaussian" else explained(driven)
    _add_signals(dataset, values[rows], realised)
    dataset["rating"] = (("window", "emotion"), rating[rows[:2]])
    dataset["distribution"] = labels.distribution(dataset["rating"], epsilon=epsilon)
    _add_truth(dataset, truth, style, artefact, rows)
    return check(dataset)


def blends_cohort(
    participants: int = 24,
    clips: int = 16,
    windows: int = 5,
    seed: int = 0,
    epsilon: float | None = None,
) -> xr.Dataset:
    """Simulate a cohort of the second world: see :func:`cohort`."""
    return cohort(participants, clips, windows, seed, epsilon, "blends")


def _check_choices(
    sizes: Mapping[str, int], seed: int, epsilon: float | None, latent: str
) -> None:
    for name, value in sizes.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ParameterError(
                f"a cohort needs at least one of its {name}, a whole number, not "
                f"{value!r}"
            )
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ParameterError(
            f"the seed of a cohort must be a non-negative integer below 2^63, not "
            f"{seed!r}"
        )
    numbers = (int, float, np.number)
    if not (epsilon is None or isinstance(epsilon, numbers) and 0 < epsilon < np.inf):
        raise ParameterError(f"epsilon must be positive, not {epsilon!r}")
    if latent not in WORLDS:
        listed = " or ".join(WORLDS)
        raise ParameterError(f"latent, the world, must be {listed}, not {latent!r}")


def _rows(sequence: np.ndarray, windows: int) -> tuple[np.ndarray, ...]:
    """Participant, clip and window of the trial, each (row,), in the order of time."""
    shape = (*sequence.shape, windows)
    participant, position, window = np.indices(shape).reshape(3, -1)
    return participant, sequence[participant, position], window


def _coords(
    order: np.ndarray, rows: tuple[np.ndarray, ...], windows: int
) -> dict[str, list[str] | tuple[str, np.ndarray]]:
    """Who saw what when, and the names of all that is not a feature."""
    participant, clip, window = rows
    who = np.array([f"P{number + 1:02d}" for number in range(len(order))])[participant]
    what = np.array([f"C{number + 1:02d}" for number in range(order.shape[1])])[clip]
    start = order[participant, clip] * (CLIP_SECONDS + PAUSE_SECONDS)
    start = start + window * CLIP_SECONDS / windows
    of_rows = {
        "participant": who,
        "trial": np.char.add(np.char.add(who, "-"), what),
        "condition": np.array(clip_types(order.shape[1]))[clip],
        "clip": what,
        "start": start,
        "stop": start + CLIP_SECONDS / windows,
    }
    return {
        "emotion": list(EMOTIONS),
        "valence": ("emotion", VALENCE),
        "emotion_other": list(EMOTIONS),
        "modality": list(MODALITIES),
        "style": ["shift", "stretch"],
    } | {name: ("window", values) for name, values in of_rows.items()}


def _add_signals(
    dataset: xr.Dataset, values: np.ndarray, realised: np.ndarray | None
) -> None:
    """Add each modality, with names and units, from all features (window, feature)."""
    for number, (name, (branch, share, _, source)) in enumerate(MODALITIES.items()):
        feature = f"{name}_feature"
        dataset.coords[feature] = FEATURES[name]
        dataset.coords[f"{name}_unit"] = (feature, ["1"] * len(FEATURES[name]))
        attrs = {
            "branch": branch,
            "source": f"simulated {source}, standardised",
            "explained_variance": share,
        }
        if realised is not None:
            attrs["explained_variance_realised"] = round(float(realised[number]), 4)
        columns = values[:, OF == number].astype("float32")
        dataset[name] = (("window", feature), columns, attrs)


def _add_truth(
    dataset: xr.Dataset,
    truth: Mapping[str, np.ndarray],
    style: np.ndarray,
    artefact: np.ndarray,
    rows: tuple[np.ndarray, ...],
) -> None:
    """Add what is known of trials (participant, clip, ...), people and windows."""
    participant, clip, _ = rows
    for name, array in truth.items():
        dims = ("window", "emotion")[: array.ndim - 1]
        dataset[f"truth_{name}"] = (dims, array[participant, clip])
    dataset["truth_style"] = (("window", "style"), style[participant])
    dataset["truth_correlation"] = (("emotion", "emotion_other"), correlation())
    struck = artefact[rows].astype("int8")
    dataset["truth_artefact"] = (("window", "modality"), struck)


def _attributes(
    sizes: Mapping[str, int], seed: int, epsilon: float | None, latent: str
) -> dict[str, object]:
    choices = {**sizes, "seed": seed, "epsilon": epsilon, "latent": latent}
    call = ", ".join(f"{name}={value!r}" for name, value in choices.items())
    call = call.removesuffix(", latent='gaussian'")  # files were made before it was
    return {
        "dataset": f"simulated-{latent}".removesuffix("-gaussian"),
        "notes": "Simulated people: nothing here was measured. Features are in "
        "within-participant SDs (unit 1).\n"
        "Participants share clips, so a predictor told only the clip is hard to beat; "
        "hold clips out too.",
        "licence": "CC0-1.0",
        "citation": "Simulated by mpcl.simulation.cohort; the design is our own.",
        "rating_scale": "1-5",
        "created_by": f"mpcl.simulation.cohort.cohort({call})",
        "contract_version": CONTRACT_VERSION,
        "cohort_seed": int(seed),
        "label_recipe": "plain" if epsilon is None else f"sharp ({epsilon:g})",
        "conditions": "all",
        "features": "simulated",
    }


def _tendency(intensity: np.ndarray, style: np.ndarray) -> np.ndarray:
    """The answer before noise and rounding (participant, clip, emotion)."""
    felt = 1 + 4 * intensity
    return felt + style[:, 0, None, None] + style[:, 1, None, None] * (felt - 3)


def _expected(tendency: np.ndarray, epsilon: float) -> np.ndarray:
    """E[d] over the noise of the answers: see :func:`bayes`."""
    edges = np.arange(1.5, 5)  # between the answers
    below = ndtr((edges - tendency[..., None]) / ANSWER_SD)  # (..., emotion, edge)
    chance = np.diff(below, prepend=0, append=1)  # of each answer (..., emotion, 5)
    emotions = tendency.shape[-1]
    order = emotions * epsilon
    nodes, weights = roots_sh_jacobi(2 * emotions + 1, order, order)
    powers = nodes ** np.arange(5)[:, None]  # s^q (5, node)
    every = chance @ powers  # E[s^q] (..., emotion, node)
    single = chance @ ((np.arange(5) + epsilon)[:, None] * powers)  # E[(q + e) s^q]
    return (single / every * every.prod(-2, keepdims=True)) @ weights


def _respond(phi: np.ndarray, loadings: np.ndarray, seed: int) -> np.ndarray:
    """f(W_s phi): phi (participant, clip, term) -> (participant, clip, feature)."""
    participants = len(phi)
    individual = streams.normal(seed, "loading", participants, *loadings.shape)
    individual *= INDIVIDUAL[OF, None] * np.abs(loadings)
    driven = phi @ (loadings + individual).swapaxes(1, 2)
    expressivity = np.exp(
        EXPRESSIVITY_SD * streams.normal(seed, "expressivity", participants)
    )[:, None, None]
    body = SATURATION * np.tanh(driven / SATURATION)
    contraction = FACE_SHARPNESS * (expressivity * driven - FACE_ONSET)
    return np.where(FACE, np.logaddexp(0, contraction) / FACE_SHARPNESS, body)


@lru_cache(maxsize=1)
def _physiology() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What all cohorts share: units and loadings.

    Units come from a reference population, of people who each see clips of their own:
    there phi has mean 0 and variance 1, and the drive variance 1 within the average
    participant, before and after it is bent.

    Returns:
        centre and spread of phi (term,), loadings (feature, term), and the scale of the
        drive (feature,).
    """
    participants, trials = REFERENCE
    random = np.random.default_rng(PHYSIOLOGY_SEED)
    trial = random.standard_normal((participants, trials, len(EMOTIONS)))
    person = random.standard_normal((participants, 1, len(EMOTIONS)))
    both = np.hypot(CLIP_SD, INTERACTION_SD) * trial + PARTICIPANT_SD * person
    mean = BASE + mean_log_odds(clip_types(trials))
    phi = affect(expit(mean + both @ power(correlation(), 0.5)))
    centre, spread = phi.mean((0, 1)), phi.std((0, 1))
    phi = (phi - centre) / spread
    within = phi - phi.mean(1, keepdims=True)
    covariance = np.einsum("ptj,ptk->jk", within, within) / (
        len(phi) * (phi.shape[1] - 1)
    )
    weights = [weights for names in LOADINGS.values() for weights in names.values()]
    loadings = np.array([[of.get(term, 0) for term in TERMS] for of in weights])
    loadings[:, : len(EMOTIONS)] += SPECIFIC_SD * streams.normal(
        PHYSIOLOGY_SEED, "specific", len(OF), len(EMOTIONS)
    )
    shared = np.einsum("fj,jk,fk->f", loadings, covariance, loadings)
    individual = INDIVIDUAL[OF] ** 2 * (loadings**2 @ np.diag(covariance))
    loadings /= np.sqrt(shared + individual)[:, None]
    return (
        centre,
        spread,
        loadings,
        np.sqrt(_respond(phi, loadings, PHYSIOLOGY_SEED).var(1, ddof=1).mean(0)),
    )
