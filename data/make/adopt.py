"""Show that a change of code moved no score, and say so in the results files.

``python -m data.make.adopt --wesad FOLDER 1 2`` scores the first seed of these entries
of ``data/renew.yml`` once more, by the code as it is now. A predictor of which every
score is as before, but for rounding, gets the fingerprint of this code; its earlier one
is kept in ``code_before``, and the largest difference in ``adopted``. What moved keeps
its own, is named, and has to be renewed.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from data.make.renew import ROOT, entries, methods_of, opened, settings_of
from mpcl import provenance
from mpcl.evaluation import results
from mpcl.files import write_netcdf

ROUNDING = 1e-5  # of a score; networks are trained in single precision


def again(entry: dict[str, Any], wesad: str | None) -> xr.Dataset:
    """The scores of an entry's first seed, by the code as it is now."""
    return results.evaluate(
        opened(entry["data"], wesad),
        methods_of(entry["predictors"]),
        entry["protocol"],
        [0],
        settings_of(entry),
        "cpu",
        reads="trials",
    )


def moved(earlier: xr.Dataset, now: xr.Dataset) -> dict[str, float]:
    """By how much the scores of each predictor of ``now`` differ from the earlier.

    Infinite where only one of them has a score.

    Example:
        >>> axes = {"predictor": ["ridge", "knn"], "seed": [0]}
        >>> before, after = [[1.0], [np.nan]], [[1.25], [2.0]]
        >>> files = [xr.Dataset({"score": (list(axes), values)}, axes)
        ...          for values in (before, after)]
        >>> moved(*files)
        {'ridge': 0.25, 'knn': inf}
    """
    before = earlier.score.reindex_like(now.score)
    distance = abs(now.score - before).where(now.score.notnull() == before.notnull())
    distance = distance.fillna(np.inf).where(now.score.notnull() | before.notnull())
    largest = distance.max(set(distance.dims) - {"predictor"})
    names = map(str, now.predictor.values)
    return dict(zip(names, largest.fillna(0.0).values.tolist(), strict=True))


def adopted(earlier: xr.Dataset, now: xr.Dataset) -> xr.Dataset:
    """The earlier results, with the fingerprints of code that gives the same scores."""
    was, code = (json.loads(each.attrs["code_fingerprint"]) for each in (earlier, now))
    before = json.loads(earlier.attrs.get("code_before", "{}"))
    notes = json.loads(earlier.attrs.get("adopted", "{}"))
    today = f"{datetime.now(UTC):%Y-%m-%d}, {provenance.commit()}"
    for name, difference in moved(earlier, now).items():
        if difference <= ROUNDING and was[name] != code[name]:
            before.setdefault(name, was[name])
            notes[name] = f"{today}: the first seed differs by {difference:.0e} at most"
            was[name] = code[name]
    texts = {"code_fingerprint": was, "code_before": before, "adopted": notes}
    return earlier.assign_attrs({key: json.dumps(text) for key, text in texts.items()})


def main(arguments: list[str] | None = None) -> None:
    """Score the chosen entries once more, and write what did not move."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="+", type=int)
    parser.add_argument("--wesad", help="folder of the official files")
    parser.add_argument("--to", type=Path, default=ROOT / "data" / "results")
    options = parser.parse_args(arguments)
    for entry in entries():
        if entry["number"] in options.numbers:
            path = options.to / entry["file"]
            earlier, now = results.read(path), again(entry, options.wesad)
            for name, difference in moved(earlier, now).items():
                print(entry["number"], name, f"{difference:.0e}", flush=True)
            write_netcdf(adopted(earlier, now), path)


if __name__ == "__main__":
    main()
