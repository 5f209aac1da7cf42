"""The command line with outputs as users have them: other encodings, pipes, none."""

import os
import subprocess
import sys

import pytest

from mpcl.data import contract
from mpcl.evaluation import results


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    from mpcl.simulation.cohort import cohort

    path = tmp_path_factory.mktemp("results") / "r.nc"
    people = cohort(4, 4, 2, seed=1)
    contract.write(people, path.with_name("people.nc"))
    results.evaluate(people, "floors", device="cpu", out=path)
    return path


def shell(line, **environment):
    command = line.replace("mpcl", f"{sys.executable} -m mpcl")
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_a_table_in_the_letters_that_there_are(scored, encoding):
    ran = shell(f"mpcl table {scored}", PYTHONIOENCODING=encoding)
    assert ran.returncode == 0 and not ran.stderr
    assert "kl v" in ran.stdout.decode(encoding)


def test_a_reader_that_leaves_is_no_failure(scored):
    ran = shell(f"mpcl table {scored} --metrics all | head -1")
    assert ran.returncode == 0 and not ran.stderr and ran.stdout


@pytest.mark.parametrize("closed", [">&- 2>&-", "2>&- | head -1"])
def test_scores_are_written_whoever_listens(scored, tmp_path, closed):
    out, people = tmp_path / "r.nc", scored.with_name("people.nc")
    line = f"mpcl evaluate --dataset {people} --methods floors --out {out} {closed}"
    assert shell(line).returncode == 0
    assert results.read(out).score.notnull().any()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")
def test_a_full_device_is_a_sentence(scored):
    ran = shell(f"mpcl table {scored} > /dev/full")
    assert ran.returncode == 1 and len(ran.stderr.splitlines()) == 1, ran.stderr
