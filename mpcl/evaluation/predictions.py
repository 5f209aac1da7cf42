"""Every held-out prediction of an evaluation, in a folder beside its results file.

What people rated can be told from good predictions, so they are not kept where the
terms of the recordings forbid to pass these on.
"""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import xarray as xr

from mpcl.data.contract import fingerprint
from mpcl.errors import DatasetError, ParameterError
from mpcl.files import read_netcdf, write_netcdf

FORBIDDEN = "no redistribution"  # in the licence of WESAD and DMER
SIMULATED = "-twin"  # how simulated recordings in their files are called


def folder_for(out: str | Path | None, datasets: Iterable[xr.Dataset]) -> Path:
    """Where the predictions of an evaluation are kept.

    Raises:
        ParameterError: if there is no results file, or the terms forbid it.

    Example:
        >>> folder_for("scores.nc", []).name
        'scores-predictions'
    """
    if out is None:
        raise ParameterError("predictions are kept beside a results file: give one")
    for dataset in datasets:
        name, licence = (str(dataset.attrs.get(a, "")) for a in ("dataset", "licence"))
        if FORBIDDEN in licence and not name.endswith(SIMULATED):
            raise ParameterError(
                f"the terms of {name} ({licence}) forbid to keep predictions of its "
                "people: evaluate without --keep-predictions"
            )
    path = Path(out)
    return path.with_name(f"{path.stem}-predictions")


def write(
    predicted: xr.Dataset, folder: Path, dataset: xr.Dataset, name: str, reads: str
) -> None:
    """Keep what :func:`mpcl.evaluation.predict.held_out` says, a file a seed."""
    about = {
        "predictor": name,
        "reads": reads,
        "protocol": predicted.attrs["protocol"],
        "cohort": int(dataset.attrs.get("cohort_seed", 0)),
    }
    attrs = {**about, "data_fingerprint": fingerprint(dataset)}
    for seed in predicted.seed.values.tolist():
        words = "_".join(quote(str(word), safe="") for word in (*about.values(), seed))
        file = folder / f"{words}.nc"
        write_netcdf(predicted.sel(seed=[seed]).assign_attrs(attrs), file)


def read(
    out: str | Path,
    predictor: str,
    protocol: str = "participants",
    reads: str = "trials",
    cohort: int = 0,
) -> xr.Dataset:
    """The predictions that were kept of a predictor beside a results file.

    Returns:
        ``predicted (seed, window, emotion)``, NaN in windows that no fold held out.

    Raises:
        DatasetError: if there are none.
    """
    folder = folder_for(out, [])
    words = "_".join(quote(word, safe="") for word in (predictor, reads, protocol))
    files = sorted(folder.glob(f"{words}_{cohort}_*.nc"))
    if not files:
        kept = sorted({path.stem.rpartition("_")[0] for path in folder.glob("*.nc")})
        raise DatasetError(
            f"no predictions of {words}_{cohort} were kept: evaluate with "
            f"--keep-predictions; there are {', '.join(kept) or 'none'}",
            folder,
        )
    parts = [read_netcdf(path) for path in files]
    return xr.concat(parts, "seed", combine_attrs="override").sortby("seed")
