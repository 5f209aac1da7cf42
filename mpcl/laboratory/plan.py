"""A plan in YAML: how the tables of a study are read, or which runs make a grid."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from mpcl.errors import ParameterError


def read(path: str | Path) -> dict[str, Any]:
    """The keys and values of a plan.

    Raises:
        ParameterError: if it cannot be read, or has no keys.
    """
    try:
        plan = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        sentence = f"{path}: this plan cannot be read: {error.strerror}"
        raise ParameterError(sentence) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{path}: this plan is no YAML file: {reason}") from error
    if not isinstance(plan, dict):
        raise ParameterError(f"{path}: the plan needs keys and values")
    return plan


def unknown(
    values: Iterable[str], choices: Collection[str], what: str = "key"
) -> list[str]:
    """A sentence for each value that is none of the choices."""
    listed = ", ".join(choices) or "nothing"
    return [
        f"unknown {what} {value!r}; choose from {listed}"
        for value in values
        if value not in choices
    ]
