"""The claim ledger: each claim of the paper, judged from results files alone.

Nobody writes a verdict: ``data/claims.yml`` names the files and the methods that the network has to beat, and
:func:`judge` compares. Simulated evidence never fills the column of real recordings.
"""

from pathlib import Path

import yaml

from mpcl.data.contract import DatasetError
from mpcl.evaluation import results

TIERS = ("simulated", "wesad", "dmer")
KEYS = {"claim", "source", "chapter", "evidence", "reported", "why"}


def read(path):
    """The claims of a ledger.

    Args:
        path: a YAML file such as ``data/claims.yml``.

    Returns:
        list of dicts with claim, source, chapter, and one of evidence, reported and why.

    Raises:
        DatasetError: for a claim with unknown keys or tiers, or with neither evidence nor a reason.
    """
    claims = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for one in claims:
        name = str(one.get("claim", "?"))[:40]
        tiers = [each["tier"] for each in one.get("evidence", []) + [one[key] for key in ("reported",) if key in one]]
        if not set(one) <= KEYS or not set(tiers) <= set(TIERS):
            raise DatasetError(f"the claim {name!r} has unknown keys or tiers; see the head of the file", path)
        if len({"evidence", "reported", "why"} & set(one)) != 1:
            raise DatasetError(f"the claim {name!r} needs one of evidence, reported and why", path)
    return claims


def judge(claim, folder):
    """The verdict on a claim, and what was found, by tier.

    *Reproduced*: on real recordings the network is ahead of all that are named, beyond chance. *Partly*: beyond chance
    against some, or on simulated people alone. *Not reproduced*: it was measured, and nothing was beyond chance.
    *Not attempted*: nothing was measured. A reported figure is reproduced where the interval of ours includes it.

    Where components are removed, all that were removed in that file are one family after Holm.

    Args:
        claim: one of :func:`read`.
        folder: of the results files.

    Returns:
        verdict, and a dict from tier to a list of sentences.
    """
    found, outcomes = {tier: [] for tier in TIERS}, {"simulated": [], "real": []}
    if "reported" in claim:
        return _beside(claim["reported"], Path(folder), found)
    for evidence in claim.get("evidence", []):
        path = Path(folder) / evidence["file"]
        bounds = _differences(path, evidence)
        note = f"{evidence['note']}: " if "note" in evidence else ""
        if bounds is None:
            found[evidence["tier"]].append(f"{note}not measured yet")
            continue
        ahead = (bounds.sel(bound="lower") > 0) if str(bounds.better.values) == "lower" else (
            bounds.sel(bound="upper") < 0)
        outcomes["simulated" if evidence["tier"] == "simulated" else "real"] += ahead.values.tolist()
        found[evidence["tier"]] += [note + _sentence(each, bool(wins)) for each, wins in
                                    zip(bounds, ahead.values, strict=True)]
    return _verdict(outcomes), found


def _verdict(outcomes):
    real, simulated = outcomes["real"], outcomes["simulated"]
    if real and all(real):
        return "reproduced"
    if any(real) or any(simulated):
        return "partly"
    return "not reproduced" if real or simulated else "not attempted"


def _differences(path, evidence):
    """Differences from mpcl of the methods named that the file holds (method, bound); None where it holds none."""
    if not path.is_file():
        return None
    scored, protocol = results.read(path), evidence.get("protocol")
    there = set(map(str, results.complete(scored, protocol)))
    others = [name for name in evidence["others"] if name in there]
    if not others or "mpcl" not in there:
        return None
    removed = [name for name in there if name.startswith("mpcl-no-")]  # one family, however many claims they are
    family = sorted({*others, *(removed if set(others) <= set(removed) else ())})
    metric, level = evidence.get("metric", "kl"), evidence.get("level", "window")
    found = results.differences(scored, "mpcl", family, protocol, level, [metric])
    return found.sel({"metric": metric, "method": others})


def _sentence(bounds, wins):
    name, metric = str(bounds.method.values), str(bounds.metric.values)
    mean, low, high = bounds.values
    who = f"without {name.removeprefix('mpcl-no-')}" if name.startswith("mpcl-no-") else name
    return f"{who}: {metric} {mean:+.4f} [{low:+.4f}, {high:+.4f}]{', beyond chance' if wins else ''}"


def _beside(reported, folder, found):
    """A figure of the paper beside ours."""
    path = folder / reported["file"]
    if not path.is_file():
        found[reported["tier"]].append("not measured yet")
        return "not attempted", found
    metric, value = reported["metric"], reported["value"]
    bounds = results.intervals(results.read(path), metrics=[metric]).sel(metric=metric)
    mean, low, high = bounds.sel({"method": "mpcl"}).values
    found[reported["tier"]].append(f"ours {mean:.4f} [{low:.4f}, {high:.4f}], reported {value:.4f}, gap "
                                   f"{mean - value:+.4f}")
    return "reproduced" if low <= value <= high else "not reproduced", found
