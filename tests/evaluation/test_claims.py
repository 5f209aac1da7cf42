"""The claim ledger: verdicts follow from the results files, and from nothing else."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from mpcl.data.contract import DatasetError, write_netcdf
from mpcl.evaluation import claims, results
from mpcl.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scores(cohort, tmp_path):
    """A results file in which mpcl is clearly ahead of ridge and of no memory by nothing."""
    methods, few = ["ridge", "mpcl", "mpcl-no-memory"], Settings(epochs=1)
    scored = results.evaluate(cohort, methods, "participants", [0], few, "cpu")
    kl = np.linspace(0.1, 0.2, scored.sizes["participant"])
    for method, worse in (("mpcl", 0.0), ("ridge", 0.05), ("mpcl-no-memory", 0.0)):
        scored.score.loc[{"method": method, "metric": "kl"}] = (kl + worse) if worse else kl
    scored.score.loc[{"method": "mpcl-no-memory", "metric": "kl"}] += np.resize([0.01, -0.01], len(kl))
    write_netcdf(scored, tmp_path / "made.nc")
    return tmp_path


def claim(tier, *others, **more):
    return {"claim": "c", "source": "s", "chapter": "x",
            "evidence": [{"tier": tier, "file": "made.nc", "others": list(others), **more}]}


@pytest.mark.parametrize(("tier", "others", "verdict"), [
    ("wesad", ["ridge"], "reproduced"), ("wesad", ["ridge", "mpcl-no-memory"], "partly"),
    ("simulated", ["ridge"], "partly"), ("wesad", ["mpcl-no-memory"], "not reproduced"),
    ("simulated", ["mpcl-no-memory"], "not reproduced"), ("wesad", ["helo"], "not attempted"),
])
def test_a_verdict_follows_from_the_scores(scores, tier, others, verdict):
    judged, found = claims.judge(claim(tier, *others), scores)
    assert judged == verdict
    assert not any(found[other] for other in claims.TIERS if other != tier), "evidence stands in its own column alone"
    if "ridge" in others:
        assert any("ridge: kl +0.0500" in text and "beyond chance" in text for text in found[tier])


def test_another_score_is_another_verdict(scores):
    with xr.open_dataset(scores / "made.nc", engine="h5netcdf") as opened:
        changed = opened.load()
    changed.score.loc[{"method": "ridge", "metric": "kl"}] -= 0.05
    write_netcdf(changed, scores / "made.nc")
    assert claims.judge(claim("wesad", "ridge"), scores)[0] == "not reproduced"
    reported = {"tier": "wesad", "file": "made.nc", "metric": "kl", "value": 0.15}
    assert claims.judge({"reported": reported}, scores)[0] == "reproduced"
    assert claims.judge({"reported": reported | {"value": 0.3}}, scores)[0] == "not reproduced"
    assert claims.judge({"reported": reported | {"file": "none.nc"}}, scores)[0] == "not attempted"


def test_the_ledger_names_chapters_and_methods_that_exist_and_no_verdict(tmp_path):
    from mpcl.evaluation.protocol import METHODS

    every = claims.read(ROOT / "data" / "claims.yml")
    for one in every:
        assert list((ROOT / "book").glob(f"{one['chapter']}.*")), one["chapter"]
        assert {name for each in one.get("evidence", []) for name in each["others"]} <= set(METHODS)
    for wrong in ({**every[0], "verdict": "reproduced"}, {"claim": "c", "source": "s", "chapter": "x"}):
        (tmp_path / "claims.yml").write_text(yaml.safe_dump([wrong]))
        with pytest.raises(DatasetError, match="the claim"):
            claims.read(tmp_path / "claims.yml")
