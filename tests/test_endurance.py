"""Runs are killed at random moments, and nothing is lost.

A script for many kills: ``python tests/test_endurance.py 200``. A slow test does a few.
"""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mpcl.data.contract import read as read_dataset
from mpcl.data.contract import write
from mpcl.evaluation import results
from mpcl.simulation.cohort import cohort
from mpcl.simulation.wesad_twin import write_twin

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
METHODS = ("motion_only", "ridge", "knn", "mlp")
LIMIT = 3600  # s, of a run that nobody kills, on a busy machine too


@dataclass
class Killed:
    """A command that is killed and started again, and what its file must hold."""

    folder: Path
    command: list[str]
    name: str  # of the file that it writes
    right: object = None
    seconds: float = 0.0
    kills: list[str] = field(default_factory=list)

    @property
    def out(self) -> Path:
        return self.folder / "out" / self.name

    def start(self) -> subprocess.Popen:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "MPCL_CACHE": str(self.folder / "out" / "cache"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "mpcl", *self.command, "--out", str(self.out)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def undisturbed(self) -> None:
        begun = time.monotonic()
        with self.start() as process:
            error = process.communicate(timeout=LIMIT)[1]
        assert process.returncode == 0, error
        self.seconds = time.monotonic() - begun
        self.right = self.content()
        assert self.right is not None
        self.clear()

    def clear(self) -> None:
        for path in sorted((self.folder / "out").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.folder / "out" / "mine.txt").write_text("mine")

    def kill(self, chance: random.Random) -> bool:
        """Whether the command was stopped, and had not ended before."""
        moment, kind = chance.uniform(0, self.seconds), chance.choice(SIGNALS)
        with self.start() as process:
            try:
                error = process.communicate(timeout=moment)[1]
            except subprocess.TimeoutExpired:
                process.send_signal(kind)
                error = process.communicate(timeout=LIMIT)[1]
        ended = process.returncode == 0
        self.kills.append(f"{kind.name} at {moment:.2f} s: exit {process.returncode}")
        # of what Python ignores while it imports, it prints a traceback of its own
        ours = error.count("Traceback") - error.count("Exception ignored in")
        assert kind == signal.SIGKILL or ours <= 0, (self.kills, error)
        return not ended


class Scores(Killed):
    """``mpcl evaluate``: each score that was written stays and is right."""

    def content(self):
        return results.read(self.out) if self.out.exists() else None

    def holds(self, before):
        scores = self.content()
        if scores is None:
            assert before is None, self.kills
            return None
        values, right = scores.score.values, self.right.score.values
        assert values.shape == right.shape, self.kills
        scored = np.isfinite(values)
        assert np.array_equal(values[scored], right[scored]), self.kills
        if before is not None:
            assert not (np.isfinite(before.score.values) & ~scored).any(), self.kills
        return scores


class Prepared(Killed):
    """``mpcl prepare``: the contract file is whole or not there."""

    def content(self):
        return read_dataset(self.out) if self.out.exists() else None

    def holds(self, before):
        dataset = self.content()
        if dataset is None:
            assert before is None, self.kills
        else:
            assert dataset.identical(self.right), self.kills
        return dataset


def evaluation(folder):
    write(cohort(participants=5, clips=6, windows=2, seed=7), folder / "study.nc")
    command = ["evaluate", "--dataset", str(folder / "study.nc"), "--epochs", "1"]
    return Scores(
        folder, [*command, "--methods", *METHODS, "--seeds", "2"], "scores.nc"
    )


def preparation(folder):
    write_twin(folder / "root", participants=2, chest=False)
    command = ["prepare", "wesad", "--root", str(folder / "root")]
    return Prepared(folder, command, "study.nc")


def endure(killed, kills, chance):
    """So many kills; whenever the command came to its end, it starts from nothing."""
    (killed.folder / "out").mkdir()
    killed.undisturbed()
    before, count = None, 0
    while count < kills:
        count += killed.kill(chance)
        before = killed.holds(before)
        assert (killed.folder / "out" / "mine.txt").read_text() == "mine"
        expected = {"mine.txt", "cache", killed.name, f".{killed.name}.lock"}
        names = {path.name for path in (killed.folder / "out").iterdir()}
        parts = {name for name in names if name.endswith(".part")}
        assert names - parts <= expected, killed.kills
        if killed.kills[-1].endswith("exit 0"):
            killed.clear()
            before = None
    with killed.start() as process:
        error = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 0, error
    assert killed.holds(before) is not None
    return killed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("make", [evaluation, preparation])
def test_nothing_is_lost_when_runs_are_killed(make, tmp_path):
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    for line in endure(make(tmp_path), 6, random.Random(seed)).kills:
        print(line)


if __name__ == "__main__":
    import tempfile

    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for make in (evaluation, preparation):
        with tempfile.TemporaryDirectory() as name:
            first = random.SystemRandom().randrange(1 << 30)
            done = endure(make(Path(name)), number // 2, random.Random(first))
            print(f"{make.__name__}: seed {first}, {done.seconds:.1f} s undisturbed")
            print("\n".join(done.kills))
            print(
                f"{number // 2} kills: nothing lost, nothing half-written", flush=True
            )
