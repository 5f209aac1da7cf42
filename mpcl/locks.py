"""Two runs on one file: the first goes on, the second is told."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import SoftFileLock, Timeout

from mpcl.errors import TrainingError

WAIT = 0.5  # s, enough to take over what a dead process left


@contextmanager
def claimed(path: str | Path) -> Generator[Path]:
    """A file for this process alone, by a lock file beside it while it is at work.

    The lock names process and machine. One that a dead process of this machine left
    behind is taken over (by filelock); where no lock can be written, nothing else can
    be either, and the run finds out by itself.

    Yields:
        the lock file.

    Raises:
        TrainingError: if another run is at work on the file.

    Example:
        >>> import tempfile
        >>> with claimed(Path(tempfile.mkdtemp()) / "scores.nc") as lock:
        ...     lock.name, lock.is_file()
        ('.scores.nc.lock', True)
    """
    path = Path(path)
    file = path.with_name(f".{path.name}.lock")
    lock = SoftFileLock(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=WAIT)
    except Timeout:
        process, machine = _holder(file)
        raise TrainingError(
            f"{path}: process {process} on {machine} is at work on it; wait for it or "
            f"choose another file (if it is dead, delete {file.name})"
        ) from None
    except OSError:
        pass
    try:
        yield file
    finally:
        lock.release()


def _holder(file: Path) -> tuple[int | str, str]:
    """Process and machine that a lock names, where it names any."""
    with suppress(OSError, ValueError):
        process, machine, *_ = file.read_text(encoding="utf-8").split()
        return int(process), machine
    return "?", "?"
