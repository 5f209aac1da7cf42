"""The rungs from a network with no part to one with all: ``data/family.yml``."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import xarray as xr
import yaml

from mpcl import provenance
from mpcl.evaluation.networks import Network
from mpcl.model import network
from mpcl.model.config import MPCLConfig
from mpcl.splits import Fold

if TYPE_CHECKING:
    import torch

    from mpcl.model.labels import LabelStatistics

FAMILY = provenance.ROOT / "data" / "family.yml"
TUNED = {"learning_rate": 0.01, "weight_decay": 1.0, "modality_dropout": 0.2}
NO_QUERY = -30.0  # log beta: what an emotion recalls no longer depends on its token


@dataclass(frozen=True)
class FixedMatrix(MPCLConfig):
    """MPCL whose emotions recall one another by the same matrix in every trial."""

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def build(
        self, labels: "LabelStatistics", generator: "torch.Generator"
    ) -> network.MPCL:
        """A new network; log beta has no gradient to speak of from there."""
        model = network.MPCL(self, labels, generator)
        model.recall.log_beta.data.fill_(NO_QUERY)
        return model


class Rung(Network):
    """MPCL with some of its settings changed; it reads trials, and nothing else.

    Args:
        training: settings of the training that are others than those of the run.
    """

    def __init__(
        self,
        config: type[MPCLConfig] = MPCLConfig,
        training: dict[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(config, **changes)
        self.reads = "trials"
        self.training_changes = training or {}

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def fit_folds(
        self,
        dataset: xr.Dataset,
        folds: Sequence[Fold],
        seeds: Sequence[int],
        protocol: str,
    ) -> Iterator[tuple[Fold, int, Network]]:
        """As of any network, whose configuration is asked for no other reading."""
        plain = copy.copy(self)
        plain.reads = ""
        plain.settings = replace(self.settings, **self.training_changes)
        yield from Network.fit_folds(plain, dataset, folds, seeds, protocol)


def family() -> dict[str, Any]:
    """The declared family of questions."""
    return yaml.safe_load(FAMILY.read_text(encoding="utf-8"))


def rungs(group: str) -> dict[str, Rung]:
    """Predictors by name: of the group ``removed``, ``alone``, ``rivals``, ``tuned``.

    Example:
        >>> list(rungs("rivals"))
        ['mpcl-label-views', 'mpcl-fixed-matrix', 'mpcl-hand-groups']
        >>> rungs("removed")["mpcl-no-fusion"].changes["memory"]
        False
    """
    parts = family()["parts"]
    switches: dict[str, list[str]] = {
        name: part["switches"] for name, part in parts.items()
    }
    none = _set([switch for each in switches.values() for switch in each], False)
    if group == "removed":
        made = {
            f"mpcl-no-{name}": Rung(**_set(switches[name], False)) for name in parts
        }
        return {"mpcl-none": Rung(**none)} | made
    if group == "alone":
        return {
            f"mpcl-only-{name}": Rung(**none | _set(switches[name], True))
            for name in parts
        }
    if group == "tuned":
        return {"mpcl-tuned": Rung(training=TUNED, dropout=0.1)}
    rivals: dict[str, Rung] = {}
    for part in parts.values():
        if "rival_name" in part:
            config = MPCLConfig if part["rival"] else FixedMatrix
            rivals[part["rival_name"]] = Rung(config, **part["rival"])
    return rivals


def _set(switches: list[str], value: bool) -> dict[str, Any]:
    return dict.fromkeys(switches, value)
