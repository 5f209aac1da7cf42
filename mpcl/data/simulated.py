"""The simulated cohort: people who watch clips, feel, answer a questionnaire and are measured, with a known truth.

Every number of the generator stands below with its reason. All were fixed before any model was trained on a cohort
and are never tuned on results. The chain, *our design*, is

    latent -> ratings -> label distribution
    latent -> affect -> drive -> features (+ noise of the trial, drift, noise of the window, artefacts, lost sensors)

A raw-signal level (ECG, EDA, EEG, ... as voltages) starts at :func:`drive`, in the place of :func:`features`.
The committed ``data/simulated.nc`` is made by::

    python -c "from mpcl.data import contract, simulated; contract.write(simulated.cohort(), 'data/simulated.nc')"
"""

from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.polynomial.hermite_e import hermegauss
from scipy.signal import lfilter
from scipy.special import expit, ndtr, roots_sh_jacobi

from mpcl.data import labels
from mpcl.data.contract import CONTRACT_VERSION, DatasetError, check

BENCHMARK = {"participants": 40, "clips": 24, "windows": 6}  # size of the cohorts that methods are compared on

# What is felt. The ten emotions are the short PANAS, which DMER asks: five of each valence.
POSITIVE = ("alert", "inspired", "excited", "enthusiastic", "determined")
NEGATIVE = ("afraid", "upset", "nervous", "scared", "distressed")
EMOTIONS = POSITIVE + NEGATIVE
VALENCE = np.repeat([1, -1], 5)
AROUSAL = np.array([0.5, 0.5, 0.9, 0.8, 0.5, 0.9, 0.6, 0.7, 0.9, 0.7])  # our choice, after the circumplex
WITHIN, BETWEEN = 0.5, -0.25  # correlation of emotions within and between valences: PANAS scales oppose weakly
# fmt: off
PAIRS = {  # near-synonyms go together more
    ("inspired", "determined"): 0.75, ("excited", "enthusiastic"): 0.80,
    ("afraid", "scared"): 0.80, ("upset", "distressed"): 0.75,
}
# fmt: on
BASE = -0.3  # log-odds of feeling: most emotions are weak most of the time
CLIP_SD, PARTICIPANT_SD, INTERACTION_SD = 0.6, 0.5, 0.7  # people differ most in how they take the same clip
CLIP_TYPES = {  # share of the clips, mean log-odds of positive and of negative emotions; mixed: both above the base
    "positive": (0.30, 1.2, -1.3),
    "negative": (0.30, -1.2, 1.0),
    "mixed": (0.25, 0.35, 0.35),
    "neutral": (0.15, -1.1, -1.1),
}

# What is answered, 1 to 5: people use a scale shifted and stretched in their own way, and are not exact.
SHIFT_SD, STRETCH_SD, ANSWER_SD = 0.3, 0.15, 0.5

# What is measured: branch, share of one window's variance that affect explains within a participant (ours: small
# everywhere, largest in the face), how much people's response patterns differ (relative to the loadings), and source.
MODALITIES = {
    "eeg": ("physiological", 0.05, 0.8, "EEG log band power"),
    "cardiac": ("physiological", 0.10, 0.6, "heart rate, its variability and the pulse"),
    "eda": ("physiological", 0.15, 0.5, "electrodermal level and responses"),
    "respiration": ("physiological", 0.07, 0.6, "breathing"),
    "temperature": ("physiological", 0.04, 0.7, "skin temperature of the hand"),
    "face": ("behavioural", 0.22, 0.4, "facial action units (FACS)"),
    "head": ("behavioural", 0.06, 0.6, "head pose"),
}
GAIN_SD = 0.3  # of the log gain of a modality: electrodes, skin and cameras differ
OFFSET_SD = 1.5  # of a feature between people, in within-person SDs: people differ more than their states (ICC .69)
EXPRESSIVITY_SD = 0.5  # of the log: some faces show much, some little
FACE_ONSET, FACE_SHARPNESS = 0.5, 1.2  # a muscle is silent until driven, so faces answer on one side only
SATURATION = 2.0  # in SDs of the drive: bodily responses level off
SHARED, DRIFT, OWN = 0.4, 0.2, 0.4  # of the noise variance: state of the body on a trial, slow drift, window alone
FACTORS = 3  # of the state of the body, common to all modalities
DRIFT_DECAY = 0.6  # correlation of the drift from one trial to the next
TAIL = 5  # degrees of freedom of Student's t: outliers that are no artefacts
ARTEFACT_RATE, ARTEFACT_SD = 0.03, 3.0  # of single windows of a modality: movement, bad contact
LOSS_RATE = 0.05  # of a modality for a whole trial: a sensor came off
CLIP_SECONDS, PAUSE_SECONDS = 40.0, 20.0  # short clips, and time to rate between them

# How features answer to affect, in SDs: the textbook directions (Kreibig 2010; Davidson 1992; FACS).
TERMS = (*EMOTIONS, "valence", "arousal", "conflict")
# fmt: off
CHANNELS = {"Fp1": -1, "Fp2": 1, "F3": -1, "F4": 1, "Fz": 0, "Pz": 0, "T7": -1, "T8": 1}  # left, right, midline
BANDS = {  # of all channels: arousal lowers alpha and raises the fast bands; conflict raises theta
    "delta": {"arousal": -0.3}, "theta": {"conflict": 0.6}, "alpha": {"arousal": -0.5},
    "beta": {"arousal": 0.5, "nervous": 0.3}, "gamma": {"arousal": 0.4, "valence": 0.3},
}
ASYMMETRY, MIDLINE_THETA = 0.8, 0.96  # alpha falls on the left side as valence rises; theta is strongest at Fz
ACTION_UNITS = {
    "AU01": {"afraid": 0.6, "distressed": 0.6, "upset": 0.4}, "AU02": {"scared": 0.6, "alert": 0.4},
    "AU04": {"upset": 0.8, "distressed": 0.6, "nervous": 0.3},
    "AU05": {"scared": 0.8, "afraid": 0.6, "excited": 0.3}, "AU06": {"valence": 0.8, "enthusiastic": 0.3},
    "AU07": {"afraid": 0.4, "upset": 0.4}, "AU09": {"upset": 0.5}, "AU10": {"upset": 0.4, "distressed": 0.3},
    "AU12": {"valence": 1.0, "enthusiastic": 0.4, "excited": 0.3}, "AU14": {"conflict": 0.6, "nervous": 0.3},
    "AU15": {"upset": 0.7, "distressed": 0.6}, "AU17": {"upset": 0.5, "distressed": 0.3, "determined": 0.3},
    "AU20": {"afraid": 0.7, "scared": 0.6}, "AU23": {"determined": 0.5, "upset": 0.4},
    "AU25": {"excited": 0.6, "scared": 0.4}, "AU26": {"scared": 0.6, "excited": 0.3, "alert": 0.2},
    "AU45": {"nervous": 0.6, "arousal": 0.4},
}
UNSTEADY = {"arousal": 0.3}  # the parts of an aroused face move more (its standard deviations)
LOADINGS = {
    "eeg": {f"{channel} {band}": weights for channel in CHANNELS for band, weights in BANDS.items()},
    "cardiac": {
        "heart rate": {"arousal": 1.0}, "RMSSD": {"arousal": -1.0}, "SDNN": {"arousal": -0.6, "valence": 0.3},
        "pNN50": {"arousal": -0.9}, "LF/HF": {"arousal": 0.5, "conflict": 0.4},
        "pulse amplitude": {"arousal": -0.7, "afraid": -0.3},
    },
    "eda": {
        "SCL": {"arousal": 1.0}, "SCL slope": {"arousal": 0.6, "conflict": 0.3},
        "SCR count": {"arousal": 1.0, "scared": 0.3}, "SCR amplitude": {"arousal": 0.7, "excited": 0.3},
        "SCR rise time": {"arousal": -0.3, "nervous": 0.2},
    },
    "respiration": {
        "breathing rate": {"arousal": 0.9}, "breathing depth": {"arousal": -0.4, "inspired": 0.4},
        "breathing variability": {"nervous": 0.5, "conflict": 0.4},
    },
    "temperature": {
        "skin temperature": {"arousal": -0.7, "afraid": -0.3},
        "skin temperature slope": {"valence": 0.5, "arousal": -0.4},
    },
    "face": {f"{unit} mean": weights for unit, weights in ACTION_UNITS.items()}
    | {f"{unit} std": weights | UNSTEADY for unit, weights in ACTION_UNITS.items()},
    "head": {
        "head pitch": {"valence": 0.5, "upset": -0.5}, "head yaw std": {"nervous": 0.6, "arousal": 0.3},
        "head roll std": {"conflict": 0.5, "inspired": 0.3}, "head motion": {"arousal": 1.0},
    },
}
# fmt: on
LOADINGS["eeg"] |= {f"{name} alpha": BANDS["alpha"] | {"valence": w * ASYMMETRY} for name, w in CHANNELS.items()}
LOADINGS["eeg"]["Fz theta"] = {"conflict": MIDLINE_THETA}
SPECIFIC_SD = 0.15  # small random loadings on single emotions: no body is only valence and arousal
PHYSIOLOGY_SEED = 20260220  # of those, and of the reference population that sets units: the same for all cohorts
REFERENCE = (400, 20)  # participants and trials of the reference population: enough for variances to some per cent

FEATURES = {name: list(weights) for name, weights in LOADINGS.items()}
OF = np.repeat(np.arange(len(FEATURES)), [len(names) for names in FEATURES.values()])  # modality of each feature
FACE = list(FEATURES).index("face") == OF
EXPLAINED = np.array([explained for _, explained, _, _ in MODALITIES.values()])
INDIVIDUAL = np.array([individual for _, _, individual, _ in MODALITIES.values()])
STREAMS = (  # one independent stream of random numbers a quantity and participant (or clip); only ever append
    "clip", "participant", "interaction", "style", "answer", "order", "loading", "expressivity", "gain", "offset",
    "shared", "drift", "own", "artefact", "size", "loss", "specific", "factor",
)  # fmt: skip


def correlation():
    """The planted correlation of the emotions, R of the design.

    Returns:
        array (emotion, emotion): one on the diagonal, positive definite.

    Example:
        >>> correlation()[EMOTIONS.index("afraid")][[0, 5, 6, 8]].round(2)
        array([-0.25,  1.  ,  0.5 ,  0.8 ])
    """
    planted = np.where(np.equal.outer(VALENCE, VALENCE), WITHIN, BETWEEN)
    np.fill_diagonal(planted, 1)
    for pair, value in PAIRS.items():
        first, second = (EMOTIONS.index(emotion) for emotion in pair)
        planted[first, second] = planted[second, first] = value
    return planted


def clip_types(clips):
    """The type of each clip: every next clip has the type that is furthest behind its share.

    Args:
        clips: number of clips; more clips leave the first ones as they are.

    Returns:
        list of str.

    Example:
        >>> clip_types(6)
        ['positive', 'negative', 'mixed', 'neutral', 'positive', 'negative']
    """
    chosen = []
    for number in range(1, clips + 1):
        behind = {name: number * share[0] - chosen.count(name) for name, share in CLIP_TYPES.items()}
        chosen.append(max(behind, key=lambda name: round(behind[name], 9)))
    return chosen


def latent(participants, clips, seed=0):
    """Draw what each participant feels at each clip, as log-odds eta = base + clip + participant + interaction.

    The three effects are Gaussian over emotions with covariance sd^2 R (:func:`correlation`); *our design*.

    Args:
        participants, clips: how many.
        seed: non-negative integer.

    Returns:
        eta (participant, clip, emotion), clip effect (clip, emotion), participant effect (participant, emotion).

    Example:
        >>> eta, clip, participant = latent(3, 4)
        >>> eta.shape, clip.shape, participant.shape
        ((3, 4, 10), (4, 10), (3, 10))
    """
    root = _root(correlation())
    mean = np.stack([np.where(VALENCE > 0, *CLIP_TYPES[name][1:]) for name in clip_types(clips)])
    clip = mean + CLIP_SD * _normal(seed, "clip", clips, len(EMOTIONS)) @ root  # (clip, emotion)
    participant = PARTICIPANT_SD * _normal(seed, "participant", participants, len(EMOTIONS)) @ root
    interaction = INTERACTION_SD * _normal(seed, "interaction", participants, clips, len(EMOTIONS)) @ root
    return BASE + clip + participant[:, None] + interaction, clip, participant


def ratings(intensity, seed=0):
    """Answer the questionnaire: round(y + shift + stretch (y - 3) + noise) within 1..5, for the feeling y = 1 + 4 u.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.
        seed: non-negative integer.

    Returns:
        rating (participant, clip, emotion) and style (participant, 2), the shift and stretch of each participant.

    Example:
        >>> rating, style = ratings(np.full((2, 1, 10), 0.5))
        >>> rating[0, 0]
        array([3., 4., 3., 3., 4., 4., 2., 3., 3., 3.])
    """
    style = _normal(seed, "style", len(intensity), 2) * [SHIFT_SD, STRETCH_SD]
    noise = ANSWER_SD * _normal(seed, "answer", *intensity.shape)
    return np.clip(np.round(_tendency(intensity, style) + noise), 1, 5), style


def bayes(intensity, style=None, epsilon=None):
    """The best possible prediction E[d | u] of the label distribution, exact but for the integral over styles.

    With q = rating - 1 and e = ``epsilon``, d_c = (q_c + e) / (sum q + C e), and 1/S = integral of s^(S-1) over 0..1
    makes E[d_c] the integral of s^(C e - 1) times a polynomial in s, which Gauss-Jacobi quadrature gives exactly.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.
        style: (participant, 2) of :func:`ratings`; None: unknown, averaged over the population.
        epsilon: as in :func:`mpcl.data.labels.distribution`; None is rating/sum, which is the same as 1.

    Returns:
        array (participant, clip, emotion) that sums to one.

    Example:
        >>> bayes(np.full((1, 1, 10), 0.5)).round(3)[0, 0, :3]
        array([0.1, 0.1, 0.1])
    """
    if style is not None:
        return _expected(_tendency(intensity, style), 1 if epsilon is None else epsilon)
    nodes, weights = hermegauss(5)
    weights = weights / weights.sum()
    total = 0
    for shift, shift_weight in zip(nodes * SHIFT_SD, weights, strict=True):
        for stretch, stretch_weight in zip(nodes * STRETCH_SD, weights, strict=True):
            everyone = np.tile([shift, stretch], (len(intensity), 1))
            total = total + shift_weight * stretch_weight * bayes(intensity, everyone, epsilon)
    return total


def affect(intensity):
    """phi(u), to which the body answers: the ten intensities, valence P - N, arousal, and conflict P N.

    Args:
        intensity: u (..., emotion) in 0..1.

    Returns:
        array (..., 13), in the order of ``TERMS``.

    Example:
        >>> affect(np.ones(10)).round(2)[-3:]
        array([0., 1., 1.])
    """
    positive, negative = intensity[..., VALENCE > 0].mean(-1), intensity[..., VALENCE < 0].mean(-1)
    arousal = intensity @ AROUSAL / AROUSAL.sum()
    return np.concatenate([intensity, np.stack([positive - negative, arousal, positive * negative], -1)], -1)


def drive(intensity, seed=0):
    """What affect does to each feature, before any noise: f(W_s phi) with the loadings W_s of the participant.

    Bodily responses level off, faces answer on one side only and by the participant's expressivity. *Our design*:
    individual response stereotypy as W_s = W + v |W| N(0, 1). A raw-signal simulator is to follow this drive.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.
        seed: non-negative integer.

    Returns:
        array (participant, clip, feature), of variance one within an average participant.

    Example:
        >>> drive(np.full((2, 3, 10), 0.5)).shape
        (2, 3, 94)
    """
    centre, spread, loadings, scale = _physiology()
    return _respond((affect(intensity) - centre) / spread, loadings, seed) / scale


def features(intensity, order, windows, seed=0):
    """Measure: drive plus noise in the participant's own gains and offsets, with artefacts and lost sensors.

    x = (gain (z + sigma n) + offset) / sqrt(1 + sigma^2), where sigma = sqrt(1 / R2 - 1) makes affect explain the
    share R2 of one window's variance. Of the noise n, 40 % are three factors drawn once a trial, 20 % drift over
    the presentation order, 40 % Student's t of the window itself.

    Args:
        intensity: u (participant, clip, emotion) in 0..1.
        order: (participant, clip), the position at which each clip was shown.
        windows: number of windows a trial.
        seed: non-negative integer.

    Returns:
        values (participant, clip, window, feature), NaN where a sensor was lost, in within-participant SDs; and
        artefact (participant, clip, window, modality), true where one struck.

    Example:
        >>> values, artefact = features(np.full((2, 3, 10), 0.5), np.tile(np.arange(3), (2, 1)), windows=4)
        >>> values.shape, artefact.shape
        ((2, 3, 4, 94), (2, 3, 4, 7))
    """
    participants, clips = order.shape
    modalities = len(MODALITIES)
    sigma = np.sqrt(1 / EXPLAINED - 1)[OF]
    gain = np.exp(GAIN_SD * _normal(seed, "gain", participants, modalities))[:, None, None, OF]
    offset = OFFSET_SD * _normal(seed, "offset", participants, len(OF))[:, None, None]
    response = drive(intensity, seed)[:, :, None] + sigma * noise(order, windows, seed)
    values = gain * response / np.sqrt(1 + sigma**2) + offset  # (participant, clip, window, feature)
    struck = _draw(seed, "artefact", participants, lambda random: random.random((clips, windows, modalities)))
    artefact = struck < ARTEFACT_RATE
    size = _normal(seed, "size", participants, clips, windows, len(OF))
    values = values + ARTEFACT_SD * size * artefact[..., OF]
    lost = _draw(seed, "loss", participants, lambda random: random.random((clips, modalities))) < LOSS_RATE
    return np.where(lost[:, :, None, OF], np.nan, values), artefact


def noise(order, windows, seed=0):
    """Noise of variance one: the state of the body on the trial, slow drift, and heavy tails of the window itself.

    Args:
        order: (participant, clip), the position at which each clip was shown.
        windows: number of windows a trial; the drift decays by .6 a trial, however many there are.
        seed: non-negative integer.

    Returns:
        array (participant, clip, window, feature).

    Example:
        >>> noise(np.array([[1, 0]]), windows=3).shape
        (1, 2, 3, 94)
    """
    participants, clips = order.shape
    factor = _normal(PHYSIOLOGY_SEED, "factor", len(OF), FACTORS)  # (feature, factor)
    factor = factor / np.linalg.norm(factor, axis=1, keepdims=True)
    shared = _normal(seed, "shared", participants, clips, FACTORS) @ factor.T  # (participant, clip, feature)
    decay = DRIFT_DECAY ** (1 / windows)
    steps = _normal(seed, "drift", participants, clips * windows, len(OF))
    steps[:, 1:] *= np.sqrt(1 - decay**2)  # the first step has the variance that the drift keeps
    drift = lfilter([1], [1, -decay], steps, axis=1).reshape(participants, clips, windows, len(OF))
    drift = np.take_along_axis(drift, order[:, :, None, None], 1)  # by position -> by clip
    own = _draw(seed, "own", participants, lambda random: random.standard_t(TAIL, (clips, windows, len(OF))))
    own = own / np.sqrt(TAIL / (TAIL - 2))
    return np.sqrt(SHARED) * shared[:, :, None] + np.sqrt(DRIFT) * drift + np.sqrt(OWN) * own


def cohort(participants=24, clips=16, windows=5, seed=0, epsilon=None):
    """Simulate a cohort as a contract data set, with the truth behind it in ``truth_*``.

    Args:
        participants, clips: how many; everybody sees every clip, in an order of their own.
        windows: windows a trial (of 40 / ``windows`` seconds); they share label and latent state.
        seed: non-negative integer; the same seed gives the same cohort, and more participants leave the others alone.
        epsilon: None for rating/sum labels, else as in :func:`mpcl.data.labels.distribution`.

    Returns:
        :class:`xarray.Dataset` with 94 features of 7 modalities, ordered by participant and time.

    Raises:
        DatasetError: for a size below 1, a negative seed, or an ``epsilon`` that is not positive.

    Example:
        >>> small = cohort(participants=2, clips=4, windows=3)
        >>> small.sizes["window"], small.trial.values[0].item(), small.condition.values[0].item()
        (24, 'P01-C03', 'mixed')
    """
    for name, value in {"participants": participants, "clips": clips, "windows": windows}.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise DatasetError(f"a cohort needs at least one of its {name}, a whole number, not {value!r}")
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise DatasetError(f"the seed of a cohort must be a non-negative integer below 2^63, not {seed!r}")
    if epsilon is not None and not (isinstance(epsilon, (int, float, np.number)) and 0 < epsilon < np.inf):
        raise DatasetError(f"epsilon must be positive, not {epsilon!r}")
    eta, clip, participant = latent(participants, clips, seed)
    intensity = expit(eta)
    rating, style = ratings(intensity, seed)
    keys = _draw(seed, "order", participants, lambda random: random.random(clips))
    sequence = np.argsort(keys, 1)  # (participant, position): which clip was shown
    order = np.argsort(sequence, 1)  # (participant, clip): when it was shown
    values, artefact = features(intensity, order, windows, seed)

    def each(array):  # (participant, clip, window, ...) -> (window, ...), in the order of time
        return array[np.arange(participants)[:, None], sequence].reshape(-1, *array.shape[3:])

    def rows(array):  # (participant, clip, ...) -> (window, ...)
        return each(np.repeat(array[:, :, None], windows, 2))

    who = np.array([f"P{number + 1:02d}" for number in range(participants)])
    what = np.array([f"C{number + 1:02d}" for number in range(clips)])
    everyone, everything = np.broadcast_arrays(who[:, None], what[None])
    start = order[:, :, None] * (CLIP_SECONDS + PAUSE_SECONDS) + np.arange(windows) * CLIP_SECONDS / windows
    emotion = ("window", "emotion")
    dataset = xr.Dataset(
        coords={
            "emotion": list(EMOTIONS),
            "valence": ("emotion", VALENCE),
            "emotion_other": list(EMOTIONS),
            "modality": list(MODALITIES),
            "style": ["shift", "stretch"],
            "participant": ("window", rows(everyone)),
            "trial": ("window", rows(np.char.add(np.char.add(everyone, "-"), everything))),
            "condition": ("window", rows(np.broadcast_to(clip_types(clips), order.shape))),
            "clip": ("window", rows(everything)),
            "start": ("window", each(start)),
            "stop": ("window", each(start + CLIP_SECONDS / windows)),
        }
    )
    for number, (name, (branch, explained, _, source)) in enumerate(MODALITIES.items()):
        dataset.coords[f"{name}_feature"] = FEATURES[name]
        dataset.coords[f"{name}_unit"] = (f"{name}_feature", ["1"] * len(FEATURES[name]))
        attrs = {"branch": branch, "source": f"simulated {source}, standardised", "explained_variance": explained}
        dataset[name] = (("window", f"{name}_feature"), each(values[..., OF == number]).astype("float32"), attrs)
    dataset["rating"] = (emotion, rows(rating))
    dataset["distribution"] = labels.distribution(dataset["rating"], epsilon=epsilon)
    truth = {
        "intensity": intensity,
        "eta": eta,
        "clip_effect": np.broadcast_to(clip, eta.shape),
        "participant_effect": np.broadcast_to(participant[:, None], eta.shape),
        "bayes": bayes(intensity, None, epsilon),
        "bayes_style": bayes(intensity, style, epsilon),
    }
    for name, array in truth.items():
        dataset[f"truth_{name}"] = (emotion, rows(array))
    dataset["truth_style"] = (("window", "style"), rows(np.broadcast_to(style[:, None], (*order.shape, 2))))
    dataset["truth_correlation"] = (("emotion", "emotion_other"), correlation())
    dataset["truth_artefact"] = (("window", "modality"), each(artefact).astype("int8"))
    dataset.attrs = {
        "dataset": "simulated",
        "notes": "Simulated people: nothing here was measured. Features are in within-participant SDs (unit 1).\n"
        "Participants share clips, so a predictor told only the clip is hard to beat; hold clips out too.",
        "licence": "CC0-1.0",
        "citation": "Simulated by mpcl.data.simulated; the design is our own.",
        "rating_scale": "1-5",
        "created_by": f"mpcl.data.simulated.cohort(participants={participants}, clips={clips}, windows={windows}, "
        f"seed={seed}, epsilon={epsilon})",
        "contract_version": CONTRACT_VERSION,
        "cohort_seed": int(seed),
        "label_recipe": "plain" if epsilon is None else f"sharp ({epsilon:g})",
        "conditions": "all",
        "features": "simulated",
    }
    for name in dataset.data_vars:
        dataset[name].encoding = {"zlib": True, "complevel": 5, "shuffle": True}
    return check(dataset)


def _draw(seed, stream, count, draw):
    """One draw for each of ``count`` participants or clips, each from a generator of its own."""
    keys = [(STREAMS.index(stream), number) for number in range(count)]
    return np.stack([draw(np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=key))) for key in keys])


def _normal(seed, stream, count, *shape):
    return _draw(seed, stream, count, lambda random: random.standard_normal(shape))


def _root(matrix):
    """The symmetric square root, which unlike eigenvectors is unique, so that platforms agree."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _tendency(intensity, style):
    """The answer before noise and rounding (participant, clip, emotion)."""
    felt = 1 + 4 * intensity
    return felt + style[:, 0, None, None] + style[:, 1, None, None] * (felt - 3)


def _expected(tendency, epsilon):
    """E[d] over the noise of the answers: see :func:`bayes`."""
    below = ndtr((np.arange(1.5, 5) - tendency[..., None]) / ANSWER_SD)  # (..., emotion, 4)
    chance = np.diff(below, prepend=0, append=1)  # of each answer 1..5 (..., emotion, 5)
    emotions = tendency.shape[-1]
    nodes, weights = roots_sh_jacobi(2 * emotions + 1, emotions * epsilon, emotions * epsilon)
    power = nodes ** np.arange(5)[:, None]  # s^q (5, node)
    every = chance @ power  # E[s^q] (..., emotion, node)
    own = chance @ ((np.arange(5) + epsilon)[:, None] * power)  # E[(q + e) s^q]
    return (own / every * every.prod(-2, keepdims=True)) @ weights


def _respond(phi, loadings, seed):
    """f(W_s phi) of each participant; phi (participant, clip, term) -> (participant, clip, feature)."""
    participants, (count, terms) = len(phi), loadings.shape
    individual = INDIVIDUAL[OF, None] * np.abs(loadings) * _normal(seed, "loading", participants, count, terms)
    driven = phi @ (loadings + individual).swapaxes(1, 2)
    expressivity = np.exp(EXPRESSIVITY_SD * _normal(seed, "expressivity", participants))[:, None, None]
    body = SATURATION * np.tanh(driven / SATURATION)
    face = np.logaddexp(0, FACE_SHARPNESS * (expressivity * driven - FACE_ONSET)) / FACE_SHARPNESS
    return np.where(FACE, face, body)


@lru_cache(maxsize=1)
def _physiology():
    """What all cohorts share: centre and spread of phi (term,), loadings (feature, term), scale of drive (feature,).

    Units come from a reference population: there phi has mean 0 and variance 1, and the drive variance 1 within
    the average participant, before and after it is bent.
    """
    participants, trials = REFERENCE
    random = np.random.default_rng(PHYSIOLOGY_SEED)
    mean = np.stack([np.where(VALENCE > 0, *CLIP_TYPES[name][1:]) for name in clip_types(trials)])
    trial = np.hypot(CLIP_SD, INTERACTION_SD) * random.standard_normal((participants, trials, len(EMOTIONS)))
    person = PARTICIPANT_SD * random.standard_normal((participants, 1, len(EMOTIONS)))
    phi = affect(expit(BASE + mean + (trial + person) @ _root(correlation())))  # everybody sees other clips
    centre, spread = phi.mean((0, 1)), phi.std((0, 1))
    phi = (phi - centre) / spread
    within = phi - phi.mean(1, keepdims=True)
    covariance = np.einsum("ptj,ptk->jk", within, within) / (participants * (trials - 1))
    loadings = np.array([[w.get(term, 0) for term in TERMS] for names in LOADINGS.values() for w in names.values()])
    loadings[:, : len(EMOTIONS)] += SPECIFIC_SD * _normal(PHYSIOLOGY_SEED, "specific", len(OF), len(EMOTIONS))
    common = np.einsum("fj,jk,fk->f", loadings, covariance, loadings)
    own = INDIVIDUAL[OF] ** 2 * (loadings**2 @ np.diag(covariance))
    loadings /= np.sqrt(common + own)[:, None]
    return centre, spread, loadings, np.sqrt(_respond(phi, loadings, PHYSIOLOGY_SEED).var(1, ddof=1).mean(0))
