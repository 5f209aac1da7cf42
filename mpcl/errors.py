"""One kind of error for one kind of cause; each says where, and what to do."""

from pathlib import Path


class DatasetError(ValueError):
    """Data that cannot be used, in words that say where and what to do.

    Args:
        violations: one sentence, or several.
        place: the file or data set that they are about.
    """

    def __init__(self, violations: str | list[str], place: str | Path = "") -> None:
        self.violations = [violations] if isinstance(violations, str) else violations
        self.place = str(place)
        where = f"{self.place}: " if self.place else ""
        if len(self.violations) == 1:
            message = self.violations[0]
        else:
            listed = "".join(f"\n  - {violation}" for violation in self.violations)
            message = f"{len(self.violations)} violations of the data contract:{listed}"
        super().__init__(where + message)


class ParameterError(ValueError):
    """A choice that is unknown or cannot be used: an option, a parameter, a name."""


class NotApplicable(ValueError):
    """What has no meaning on these data or under this protocol, and why."""


class TrainingError(RuntimeError):
    """A training run that cannot go on: says whose, where and why."""
