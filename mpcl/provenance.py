"""What made a number: code, commit, versions and device."""

import hashlib
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from mpcl.freshness import syntax

PACKAGE = Path(__file__).resolve().parent
AFTER = ("claims", "results", "statistics", "tuning")  # modules that take scores as they are, or make none of them
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "xarray", "neurokit2")


def code_fingerprint(paths):
    """A short hash of what Python files do: their syntax trees without comments and docstrings.

    Args:
        paths: Python files.

    Returns:
        str of 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(map(Path, paths)):
        digest.update(path.stem.encode() + syntax(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def model_code():
    """Fingerprint of every module that a score depends on: data, model, training, and evaluation as far as it scores.

    Returns:
        str of 16 hexadecimal digits.
    """
    folders = [path for folder in ("data", "model", "evaluation") for path in (PACKAGE / folder).rglob("*.py")
               if path.stem not in AFTER]
    alone = ("batches", "normalisation", "replicas", "settings", "splits", "training")
    return code_fingerprint(folders + [PACKAGE / f"{name}.py" for name in alone])


def loaded_code():
    """Fingerprint of the modules of this package that the running program has loaded, and of no other.

    Returns:
        str of 16 hexadecimal digits.
    """
    ours = [module for name, module in list(sys.modules.items()) if name.split(".")[0] == PACKAGE.name]
    return code_fingerprint(module.__file__ for module in ours if getattr(module, "__file__", None))


def commit():
    """The git commit of the checkout that the package runs from, ``+`` behind it if changed, else ``unknown``.

    Returns:
        str.
    """
    def git(*words):
        return subprocess.run(["git", "-C", str(PACKAGE.parent), *words], capture_output=True, text=True, check=True)

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "mpcl").stdout.strip()
        return git("rev-parse", "HEAD").stdout.strip()[:12] + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions():
    """Versions of Python and of the packages that numbers depend on.

    Returns:
        dict of str.
    """
    return {"python": platform.python_version(), **{name: version(name).split("+")[0] for name in PACKAGES}}


def device_name(device):
    """A device in words, such as ``cpu (x86_64)`` or the name of the graphics card.

    Args:
        device: :class:`torch.device`.

    Returns:
        str.
    """
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({platform.machine()})"
