"""A model as a folder without pickles, written whole, refused where it was altered.

``model.json`` says what it is, ``weights.npz`` holds the networks, ``layout.nc`` the
features that it reads, with units, mean and spread, ``card.md`` is for people, and
``SHA256SUMS`` guards all of them (``sha256sum -c`` reads it). The checksums find what
was changed by mistake; they are no signature.
"""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import mpcl
from mpcl.data.checksums import RECORD, recorded, sha256
from mpcl.data.contract import CONTRACT_VERSION
from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation.baselines.peers import PeerConfig
from mpcl.evaluation.predictors import PREDICTORS
from mpcl.files import (
    read_arrays,
    read_netcdf,
    write_arrays,
    write_netcdf,
    write_text,
)
from mpcl.laboratory.card import card
from mpcl.laboratory.model import KeptModel, ask
from mpcl.model.config import MPCLConfig
from mpcl.model.labels import LabelStatistics
from mpcl.training.batches import NetworkConfig
from mpcl.training.settings import Settings

FORMAT = 2
FILES = ("model.json", "weights.npz", "layout.nc", "card.md")
CONFIGS = {"mpcl": MPCLConfig, "helo": PeerConfig}
MOVED = 5e-4  # how far a share may move on another machine, or with other packages


def new_folder(folder: str | Path) -> Path:
    """The path, if nothing is there, and a folder can be made.

    Raises:
        ParameterError: else.
    """
    folder = Path(folder)
    if folder.exists():
        raise ParameterError(f"{folder} is there, and is not replaced; choose another")
    try:
        folder.mkdir(parents=True)
        folder.rmdir()
    except OSError as error:
        sentence = f"{folder} cannot be made ({error.strerror}); choose another"
        raise ParameterError(sentence) from error
    return folder


def keep(model: KeptModel, folder: str | Path) -> Path:
    """Write a model as a new folder, whole or not at all.

    Raises:
        ParameterError: if the folder is there.
    """
    folder = new_folder(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        write_text(json.dumps(_described(model), indent=1), part / "model.json")
        write_arrays(_arrays(model), {}, part / "weights.npz")
        write_netcdf(model.layout, part / "layout.nc")
        write_text(card(model), part / "card.md")
        sums = [f"{sha256(part / name)}  {name}\n" for name in FILES]
        write_text("".join(sums), part / RECORD)
        os.rename(part, new_folder(folder))
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _described(model: KeptModel) -> dict[str, Any]:
    """What ``model.json`` holds."""
    layout = model.layout
    features = {
        name: {
            "branch": branch,
            "features": layout[f"{name}_feature"].values.tolist(),
            "units": layout[f"{name}_unit"].values.tolist(),
        }
        for name, branch, _ in model.config.modalities
    }
    valence = map(int, layout.valence.values)
    return {
        "format": FORMAT,
        "predictor": model.predictor,
        "config": asdict(model.config),  # pyrefly: ignore  # frozen dataclasses, both
        "settings": asdict(model.settings),
        "emotions": dict(zip(layout.emotion.values.tolist(), valence, strict=True)),
        "features": features,
        **model.about,
    }


def _arrays(model: KeptModel) -> dict[str, np.ndarray]:
    """Weights of all networks, familiar energies, and what the layout is answered."""
    arrays = {
        f"network/{number}/{name}": value.cpu().numpy()
        for number, network in enumerate(model.networks)
        for name, value in network.state_dict().items()
    }
    arrays |= {f"familiar/{name}": each for name, each in model.familiar.items()}
    return arrays | {"answers": ask(model, model.layout).predicted}


def load(folder: str | Path) -> KeptModel:
    """Read a model that :func:`keep` wrote.

    Raises:
        DatasetError: if the folder is no model, or was altered, or of another version,
            or if its networks answer differently here.
    """
    folder = Path(folder)
    about = _unaltered(folder)
    arrays, _ = read_arrays(folder / "weights.npz")
    layout, settings = read_netcdf(folder / "layout.nc"), Settings(**about["settings"])
    name = about["predictor"]
    config = CONFIGS[name](**{key: _tuples(v) for key, v in about["config"].items()})
    if isinstance(config, PeerConfig) and config.network != PREDICTORS[name].target:
        raise DatasetError(f"this is no network of {name}", folder)
    model = KeptModel(
        name,
        config,
        settings,
        [_network(config, settings, arrays, n) for n in range(len(about["seeds"]))],
        layout,
        _under("familiar/", arrays),
        {**about, "fingerprint": sha256(folder / RECORD)[:16]},
    )
    moved = np.abs(ask(model, layout).predicted - arrays["answers"]).max()
    if not moved < MOVED:
        raise DatasetError(
            f"its networks answer differently here, a share by {moved:.4f}; use the "
            f"versions that it was made with: {about['versions']}",
            folder,
        )
    return model


def _unaltered(folder: Path) -> dict[str, Any]:
    """What ``model.json`` says, if all files are as they were written."""
    if not folder.is_dir():
        raise DatasetError("there is no such folder of a model", folder)
    digests = recorded(folder)
    if not {*FILES} <= digests.keys():
        raise DatasetError("this is no folder that 'mpcl train' wrote", folder)
    for name in FILES:
        path = folder / name
        if not path.is_file() or sha256(path) != digests[name]:
            raise DatasetError(
                f"{name} is not as it was written; copy the folder again, or train "
                "the model again",
                folder,
            )
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    here = {
        "format": FORMAT,
        "mpcl": mpcl.__version__,
        "contract_version": CONTRACT_VERSION,
    }
    other = [f"{key} {about.get(key)}" for key in here if about.get(key) != here[key]]
    if other:
        raise DatasetError(
            f"it was made with {', '.join(other)}, and this is mpcl {here['mpcl']} "
            f"(format {FORMAT}, contract {CONTRACT_VERSION}): use that version, or "
            "train again",
            folder,
        )
    return about


def _network(
    config: NetworkConfig, settings: Settings, arrays: dict[str, np.ndarray], n: int
) -> nn.Module:
    """One network with its weights; what it was built from is overwritten by them."""
    state = _under(f"network/{n}/", arrays)
    emotions = len(config.emotions)  # pyrefly: ignore  # both configurations have them
    prior = torch.full((emotions,), 1 / emotions)
    labels = LabelStatistics(prior, torch.eye(emotions), 1)
    network = config.build(labels, torch.Generator().manual_seed(0))
    network.to(settings.dtype)
    network.load_state_dict({key: torch.from_numpy(v) for key, v in state.items()})
    return network


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


def _tuples(value: Any) -> Any:
    """A value of JSON with tuples for its lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
