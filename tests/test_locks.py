"""Two runs on one file: nothing of either is lost, and the second is told."""

import os
import subprocess
import sys
import textwrap

import pytest

from mpcl.errors import TrainingError
from mpcl.evaluation import results
from mpcl.locks import claimed

HOLD = """
    from mpcl.locks import claimed
    with claimed({path!r}):
        print("at work", flush=True)
        input()
"""


def start(code):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_second_is_told_who_is_at_work(tmp_path):
    path = tmp_path / "scores.nc"
    with start(HOLD.format(path=str(path))) as first:
        assert first.stdout.readline() == "at work\n"
        with pytest.raises(TrainingError) as caught, claimed(path):
            pass
        first.stdin.close()
    assert f"process {first.pid} on " in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with claimed(path):
        pass
    assert names(tmp_path) == []


def test_what_a_dead_process_left_is_taken_over(tmp_path):
    path = tmp_path / "scores.nc"
    with start(HOLD.format(path=str(path))) as first:
        assert first.stdout.readline() == "at work\n"
        first.kill()
    assert names(tmp_path) == [".scores.nc.lock"]
    with claimed(path) as lock:
        assert lock.read_text().split()[0] == str(os.getpid())
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "content, holder",
    [
        ("1\nelsewhere\n2\n", "process 1 on elsewhere"),
        ("", "process ? on ?"),
        ("not ours", "process ? on ?"),
        ('{"process": 1, "machine": "elsewhere"}', "process ? on ?"),
    ],
)
def test_what_cannot_be_seen_from_here_is_not_taken(tmp_path, content, holder):
    lock = tmp_path / ".scores.nc.lock"
    lock.write_text(content)
    with pytest.raises(TrainingError, match="delete .scores.nc.lock") as caught:
        with claimed(tmp_path / "scores.nc"):
            pass
    assert holder in str(caught.value)
    assert lock.read_text() == content


def test_a_number_that_another_process_got_since_is_no_owner(tmp_path):
    path = tmp_path / "scores.nc"
    with claimed(path) as lock:
        holder = lock.read_text().splitlines()
    lock.write_text("\n".join([*holder[:2], "1", ""]))
    with claimed(path) as lock:
        assert lock.read_text().splitlines() == holder


def test_of_many_at_once_one_is_at_work_at_a_time(tmp_path):
    """Each adds one to a number in a file, which a lost lock would lose."""
    path, count = tmp_path / "count", tmp_path / "number"
    count.write_text("0")
    code = f"""
        import time
        from pathlib import Path
        from mpcl.errors import TrainingError
        from mpcl.locks import claimed
        done, count = 0, Path({str(count)!r})
        while done < 10:
            try:
                with claimed({str(path)!r}):
                    number = int(count.read_text())
                    time.sleep(0.001)
                    count.write_text(str(number + 1))
                    done += 1
            except TrainingError:
                time.sleep(0.001)
    """
    for process in [start(code) for _ in range(4)]:
        assert process.wait(60) == 0, process.stderr.read()
    assert count.read_text() == "40" and names(tmp_path) == ["number"]


def test_a_second_evaluation_of_a_file_is_refused_and_loses_nothing(cohort, tmp_path):
    out = tmp_path / "scores.nc"
    results.evaluate(cohort, "floors", out=out, device="cpu")
    before = out.read_bytes()
    with claimed(out), pytest.raises(TrainingError, match="is at work on it"):
        results.evaluate(cohort, "ridge", out=out, device="cpu")
    assert out.read_bytes() == before
    both = results.evaluate(cohort, "ridge", out=out, device="cpu")
    assert both.score.sel(predictor="uniform").notnull().any()
