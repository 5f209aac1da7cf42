"""Does the page of benchmarks say what its files hold, and what was not measured?"""

import json

import numpy as np
import pandas as pd
import xarray as xr

from book._ext import benchmarks
from mpcl.files import write_netcdf
from mpcl.provenance import ROOT


def test_each_case_is_a_row_with_its_spread_and_what_is_missing_is_said(tmp_path):
    seconds = np.array([[[1.0, 2.0, 1.0], [4.0, 4.0, 3.0]]])  # (case, way, round)
    coords = {"case": ["one"], "rival": ("case", ["a loop"]), "way": ["ours", "rival"]}
    measured = xr.Dataset({"seconds": (("case", "way", "round"), seconds)}, coords)
    versions = json.dumps({"python": "3.11", "torch": "2"})
    about = {"device": "cpu", "machine": "x, 2 cores", "threads": "1"}
    about |= {"versions": versions, "created": "2026-11-28T01:00:00"}
    write_netcdf(measured.assign_attrs(about), tmp_path / "training-cpu.nc")
    page = benchmarks.page(tmp_path)
    assert "| one | 1 | a loop | 4 | **3** (2, 4) |" in page
    assert "cpu, x, 2 cores, 1 thread(s); Python 3.11, torch 2; 3 rounds" in page
    assert page.count(benchmarks.NOT_MEASURED) == len(benchmarks.TITLES) + 1


def test_the_plan_of_the_grid_rests_on_the_files_that_it_names():
    folder, page = ROOT / "data" / "benchmarks", ROOT / "book" / "grid.md"
    text = page.read_text(encoding="utf-8")
    people = pd.read_csv(folder / "wesad-participants.csv").groupby("what").value.max()
    assert f"{people['features of the wrist']:.1f} s of one core" in text
    assert f"{people['pickle of the wrist alone']:.0f} MB of pickle" in text
    card = pd.read_csv(folder / "training-h100-first.csv").set_index("replicas").value
    rate = 1000 * card.loc[75]
    assert f"{rate:,.0f} networks an hour" in text
    assert 100 * 20 * 1300 < rate * 2 * 29  # less than an hour
