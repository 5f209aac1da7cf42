"""The parameters that every chapter shares, and the profiles that say how much is computed.

One table, in one place: what ``quick`` and ``full`` mean.
"""

import json
from dataclasses import dataclass, replace

import torch

from mpcl import provenance
from mpcl.data.catalogue import open_dataset
from mpcl.settings import ParameterError, Settings, device_of

PARAMETERS = ("DATASET", "DATA_ROOT", "PROFILE", "SEED", "DEVICE", "OUT")
IGNORED = {"In", "Out"}  # what IPython itself keeps


@dataclass(frozen=True)
class Profile:
    """How much is computed.

    Attributes:
        settings: how each network is trained.
        seeds: networks a fold.
        methods: what is compared, beside the floors.
    """

    settings: Settings
    seeds: int
    methods: tuple


PROFILES = {
    "quick": Profile(Settings(epochs=10), seeds=1, methods=("ridge", "knn", "mpcl")),
    "full": Profile(Settings(epochs=20), seeds=10, methods="all"),
}


@dataclass(frozen=True)
class Run:
    """The checked parameters of one notebook run.

    Attributes:
        dataset: catalogue name or path of a contract file.
        root: folder of the official files, or None.
        profile: name of the profile.
        seed: first model seed.
        device: name of the device.
        out: file for the results, or None.
    """

    dataset: str
    root: str | None
    profile: str
    seed: int
    device: str
    out: str | None

    @property
    def settings(self):
        """Training settings of the profile."""
        return PROFILES[self.profile].settings

    @property
    def seeds(self):
        """Model seeds of the profile."""
        return list(range(self.seed, self.seed + PROFILES[self.profile].seeds))

    @property
    def methods(self):
        """Methods of the profile."""
        return PROFILES[self.profile].methods

    def with_settings(self, **changes):
        """Training settings of the profile with some of them changed."""
        return replace(self.settings, **changes)

    def open(self, **options):
        """The data set that ``DATASET`` and ``DATA_ROOT`` name."""
        return open_dataset(self.dataset, self.root, **options)

    def footer(self):
        """One line on what made the numbers of this page."""
        made = " ".join(f"{name} {number}" for name, number in provenance.versions().items())
        device = provenance.device_name(device_of(self.device))
        return (f"data set {self.dataset}, profile {self.profile}, seed {self.seed}, device {device}\n"
                f"code {provenance.loaded_code()}, settings {json.dumps(vars(self.settings))}\n{made}")


def start(namespace):
    """Check the parameters of a notebook, before anything else runs.

    Papermill only warns of a parameter that it does not know; this refuses it. The quick profile computes
    with one thread, so that the pages show the same digits on every machine; the full one with all.

    Args:
        namespace: ``globals()`` of the notebook, read right after its parameters cell.

    Returns:
        :class:`Run`.

    Raises:
        ParameterError: in one sentence, for an unknown name or a value that cannot be used.

    Example:
        >>> start({"DATASET": "simulated", "DATA_ROOT": None, "PROFILE": "quick", "SEED": 0,
        ...        "DEVICE": "auto", "OUT": None}).seeds
        [0]
    """
    plain = (str, int, float, bool, list, tuple, dict, type(None))
    given = {name: value for name, value in namespace.items()
             if not name.startswith("_") and name not in IGNORED and isinstance(value, plain)}
    unknown = sorted(set(given) - set(PARAMETERS))
    if unknown:
        raise ParameterError(f"unknown parameter {unknown[0]!r}; choose from {', '.join(PARAMETERS)}")
    absent = [name for name in PARAMETERS if name not in given]
    if absent:
        raise ParameterError(f"the parameter {absent[0]!r} is missing from the parameters cell")
    texts = {"DATASET": False, "DATA_ROOT": True, "PROFILE": False, "DEVICE": False, "OUT": True}
    for name, optional in texts.items():
        if not (isinstance(given[name], str) and given[name] or optional and given[name] is None):
            raise ParameterError(f"{name} must be text{' or None' * optional}, not {given[name]!r}")
    if given["PROFILE"] not in PROFILES:
        raise ParameterError(f"unknown PROFILE {given['PROFILE']!r}; choose {' or '.join(PROFILES)}")
    if not isinstance(given["SEED"], int) or isinstance(given["SEED"], bool) or given["SEED"] < 0:
        raise ParameterError(f"SEED must be a whole number from 0 on, not {given['SEED']!r}")
    device_of(given["DEVICE"])
    if given["PROFILE"] == "quick":
        torch.set_num_threads(1)
    return Run(*(given[name] for name in PARAMETERS))
