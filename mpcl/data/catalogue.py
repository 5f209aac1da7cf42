"""One door to every data set: a catalogue name or the path of a contract file."""

from importlib import import_module
from pathlib import Path

from mpcl.data import contract
from mpcl.data.contract import DatasetError

EMBEDDED = Path(__file__).resolve().parents[2] / "data" / "simulated.nc"
NAMES = ("simulated", "wesad")


def open_dataset(name, root=None, **options):
    """Open a data set as one labelled :class:`xarray.Dataset` that follows the contract.

    Args:
        name: ``simulated``, ``wesad``, or the path of a contract file (``.nc``).
        root: folder of the official files, for data sets that have any.
        options: passed to the loader: :func:`mpcl.data.simulated.cohort` (without any, the cohort
            that is committed as ``data/simulated.nc``) or :func:`mpcl.data.wesad.load`.

    Returns:
        :class:`xarray.Dataset`.

    Raises:
        DatasetError: for an unknown name, a missing folder or file, and whatever the loader finds.

    Example:
        >>> open_dataset("simulated", participants=2, clips=3, windows=2, seed=1).sizes["window"]
        12
    """
    if Path(str(name)).suffix == ".nc":
        if options:
            raise DatasetError(f"a contract file takes no options ({', '.join(options)})", name)
        return contract.read(name)
    if name not in NAMES:
        raise DatasetError(f"unknown data set {name!r}; choose {', '.join(NAMES)}, or give the path of a contract file")
    if name == "simulated":
        if root is not None:
            raise DatasetError("the simulated cohort needs no folder; leave out DATA_ROOT or --root")
        if not options and EMBEDDED.is_file():
            return contract.read(EMBEDDED)
        return _call("mpcl.data.simulated", "cohort", **options)
    if root is None:
        raise DatasetError(f"{name} needs the folder of its official files: give DATA_ROOT or --root")
    return _call(f"mpcl.data.{name}", "load", root, **options)


def _call(module, function, *arguments, **options):
    """Call a loader, which is imported only now; an unknown option is a sentence, not a traceback."""
    loader = getattr(import_module(module), function)
    known = loader.__code__.co_varnames[: loader.__code__.co_argcount + loader.__code__.co_kwonlyargcount]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise DatasetError(f"unknown option {unknown[0]!r}; choose from {', '.join(known)}", module.rsplit(".", 1)[-1])
    return loader(*arguments, **options)
