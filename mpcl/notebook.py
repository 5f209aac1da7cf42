"""What every chapter imports: its parameters, its profile, its exercises' verdicts.

What ``quick`` and ``full`` mean stands here, in one table.
"""

import json
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import xarray as xr

from mpcl import provenance
from mpcl.data import contract
from mpcl.data.catalogue import open_dataset
from mpcl.errors import DatasetError, ParameterError
from mpcl.teaching.exercises import expect as expect
from mpcl.teaching.exercises import expect_close as expect_close
from mpcl.teaching.exercises import verdict as verdict
from mpcl.training.settings import Settings, device_of

PARAMETERS = {  # what each must be
    "DATASET": "text",
    "DATA_ROOT": "text or None",
    "PROFILE": "text",
    "SEED": "a whole number from 0 on",
    "DEVICE": "text",
    "OUT": "text or None",
}
ASSIGNED = re.compile(r"^(\w+) *(?::[^=\n]+)?=(?!=)", re.MULTILINE)
RESULTS = provenance.ROOT / "data" / "results"


@dataclass(frozen=True)
class Profile:
    """How much is computed: the training, networks a fold, and what is compared."""

    settings: Settings
    seeds: int
    methods: str | tuple[str, ...]


# In float64 a page shows the same digits on every machine; single precision, in which
# the committed results were computed, takes half the time.
PROFILES = {
    "quick": Profile(Settings(epochs=10), seeds=1, methods=("ridge", "knn", "mpcl")),
    "full": Profile(Settings(precision="float32"), seeds=10, methods="all"),
}


@dataclass(frozen=True)
class Run:
    """The checked parameters of one notebook run, in the order of ``PARAMETERS``."""

    dataset: str
    root: str | None
    profile: str
    seed: int
    device: str
    out: str | None

    @property
    def settings(self) -> Settings:
        """Training settings of the profile."""
        return PROFILES[self.profile].settings

    @property
    def seeds(self) -> list[int]:
        """Model seeds of the profile."""
        return list(range(self.seed, self.seed + PROFILES[self.profile].seeds))

    @property
    def methods(self) -> str | tuple[str, ...]:
        """Methods of the profile, beside the floors."""
        return PROFILES[self.profile].methods

    def with_settings(self, **changes: Any) -> Settings:
        """Training settings of the profile with some of them changed."""
        return replace(self.settings, **changes)

    def open(self, people: int = 1, trials: int = 1, **options: Any) -> xr.Dataset:
        """The data set that ``DATASET`` and ``DATA_ROOT`` name.

        Args:
            people, trials: how many participants, and trials of each, the page needs.

        Raises:
            DatasetError: if it has fewer.
        """
        dataset = open_dataset(self.dataset, self.root, **options)
        of_trial = dataset.participant.values[contract.trials(dataset).first]
        counts = Counter(map(str, of_trial))
        if len(counts) < people:
            raise DatasetError(
                f"this chapter needs at least {people} participants, and these data "
                f"have {len(counts)}",
                self.dataset,
            )
        name, fewest = min(counts.items(), key=lambda pair: pair[1])
        if fewest < trials:
            raise DatasetError(
                f"this chapter needs at least {trials} trials of each participant, and "
                f"{name} has {fewest}",
                self.dataset,
            )
        return dataset

    def footer(self) -> str:
        """A few lines on what made the numbers of this page."""
        if "torch" in sys.modules:
            device = provenance.device_name(device_of(self.device))
        else:  # nothing ran on a graphics card
            device = f"cpu ({platform.machine()})"
        versions = provenance.versions().items()
        return (
            f"data set {self.dataset}, profile {self.profile}, seed {self.seed}, "
            f"device {device}\ncode {provenance.loaded_code()}, "
            f"settings {json.dumps(asdict(self.settings))}\n"
            + " ".join(f"{name} {version}" for name, version in versions)
        )


def start(namespace: Mapping[str, Any]) -> Run:
    """Check the parameters of a notebook: ``run = start(globals())``, right below them.

    Papermill only warns of a parameter that it does not know; this refuses it. The
    quick profile computes with one thread, so that the pages show the same digits on
    every machine; the full one with all.

    Raises:
        ParameterError: in one sentence, for an unknown name or a value that cannot be
            used.

    Example:
        >>> start({"DATASET": "simulated", "DATA_ROOT": None, "PROFILE": "quick",
        ...        "SEED": 0, "DEVICE": "auto", "OUT": None}).seeds
        [0]
    """
    for name in parameter_names(namespace):
        if name not in PARAMETERS:
            choices = ", ".join(PARAMETERS)
            raise ParameterError(f"unknown parameter {name!r}; choose from {choices}")
    for name, kind in PARAMETERS.items():
        if name not in namespace:
            raise ParameterError(
                f"the parameter {name!r} is missing from the parameters cell"
            )
        if not _is(kind, namespace[name]):
            raise ParameterError(f"{name} must be {kind}, not {namespace[name]!r}")
    run = Run(*(namespace[name] for name in PARAMETERS))
    if run.profile not in PROFILES:
        choices = " or ".join(PROFILES)
        raise ParameterError(f"unknown PROFILE {run.profile!r}; choose {choices}")
    if run.device not in ("auto", "cpu"):  # the others are torch's to judge
        device_of(run.device)
    if run.profile == "quick":
        use_one_thread()
    return run


def use_one_thread() -> None:
    """Let torch compute with one thread, whether it is loaded now or later."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def parameter_names(namespace: Mapping[str, object]) -> list[str]:
    """The names under which a notebook was given parameters.

    In a notebook: what the last parameters cell assigned and what papermill injected
    below it, by IPython's history ``In``, and nothing that another cell defines or
    imports. Without a history: every plain value of the namespace.

    Example:
        >>> injected = "# Parameters\\nPROFIL = 'full'"
        >>> parameter_names({"In": ["", "WIDTH = 3", injected, "start(globals())"]})
        ['PROFIL']
    """
    cells = namespace.get("In")
    names: list[str] = []
    for cell in cells[:-1] if isinstance(cells, list) else []:  # the last one runs now
        assigned = ASSIGNED.findall(cell)
        if set(PARAMETERS) <= set(assigned):
            names = assigned  # an earlier parameters cell is void
        elif cell.startswith("# Parameters"):
            names = names + assigned
    if names:
        return names
    plain = (str, int, float, bool, list, tuple, dict, type(None))
    return [
        name
        for name, value in namespace.items()
        if isinstance(value, plain) and name[0] != "_" and name not in ("In", "Out")
    ]


def kept(name: str) -> xr.Dataset | None:
    """A results file that came with the book, or None where it is not there.

    Example:
        >>> kept("simulated-plain-benchmark.nc").attrs["dataset"]
        'simulated'
    """
    from mpcl.evaluation import results

    path = RESULTS / name
    return results.read(path) if path.is_file() else None


def _is(kind: str, value: object) -> bool:
    """Whether a value is what a parameter must be."""
    if kind.startswith("text"):
        is_text = isinstance(value, str) and value != ""
        return is_text or (value is None and kind == "text or None")
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
