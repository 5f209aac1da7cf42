"""One door to every data set: a catalogue name or the path of a contract file."""

from importlib import import_module
from pathlib import Path

import yaml

from mpcl.data import contract
from mpcl.data.contract import DatasetError

EMBEDDED = Path(__file__).resolve().parents[2] / "data" / "simulated.nc"
LOADERS = {  # module and function, imported when they are needed; None: it takes no folder, else what the folder holds
    "simulated": ("mpcl.data.simulated", "cohort", None),
    "simulated-raw": ("mpcl.data.simulated_raw", "raw_cohort", None),
    "wesad": ("mpcl.data.wesad", "load", "the folder of its official files"),
    "dmer": ("mpcl.data.dmer", "open_dmer", "the folder of its official files"),
    "dmer-sample": ("mpcl.data.dmer", "open_sample", "the folder of data_feature_sample.mat"),
}
NAMES = tuple(LOADERS)


def open_dataset(name, root=None, **options):
    """Open a data set as one labelled :class:`xarray.Dataset` that follows the contract.

    Args:
        name: ``simulated``, ``simulated-raw``, ``wesad``, ``dmer``, ``dmer-sample``, or the path of a contract file
            (``.nc``).
        root: folder of the official files, for data sets that have any.
        options: passed to the loader: :func:`mpcl.data.simulated.cohort` (without any, the cohort that is committed as
            ``data/simulated.nc``), :func:`mpcl.data.simulated_raw.raw_cohort`, :func:`mpcl.data.wesad.load`,
            :func:`mpcl.data.dmer.open_dmer`, :func:`mpcl.data.dmer.open_sample`. A contract file takes ``chunks``, such
            as ``{"window": 10000}``: its variables are dask arrays then, read in such pieces where they are needed.

    Returns:
        :class:`xarray.Dataset`.

    Raises:
        DatasetError: for an unknown name, a missing folder or file, and whatever the loader finds.

    Example:
        >>> open_dataset("simulated", participants=2, clips=3, windows=2, seed=1).sizes["window"]
        12
    """
    if Path(str(name)).suffix == ".nc":
        chunks = options.pop("chunks", None)
        if options:
            raise DatasetError(f"a contract file takes no options ({', '.join(options)})", name)
        return contract.read(name, chunks)
    module, function, needed = LOADERS[known(name)]
    if root is not None and not needed:
        raise DatasetError(f"{name} needs no folder; leave out DATA_ROOT or --root")
    if root is None and needed:
        raise DatasetError(f"{name} needs {needed}: give DATA_ROOT or --root")
    if name == "simulated" and not options and EMBEDDED.is_file():
        return contract.read(EMBEDDED)
    dataset = _call(module, function, *[root] * bool(needed), **options)
    if needed and any((folder / "TWIN.txt").is_file() for folder in (Path(root), *Path(root).resolve().parents)):
        dataset.attrs["dataset"] += "-twin"  # simulated files in the real form never stand in the real column
    return dataset


def known(name):
    """The name itself, if it is one of the catalogue.

    Args:
        name: such as ``wesad``.

    Returns:
        str.

    Raises:
        DatasetError: with the names there are.
    """
    if name not in NAMES:
        raise DatasetError(f"unknown data set {name!r}; choose {', '.join(NAMES)}, or give the path of a contract file")
    return name


def entry(name):
    """What the catalogue file says of a data set: title, address, size, checksum, licence, citation, steps.

    Args:
        name: such as ``wesad``.

    Returns:
        dict.

    Raises:
        DatasetError: for an unknown name, and where the package was installed without its repository.

    Example:
        >>> entry("wesad")["doi"]
        '10.24432/C57K5T'
    """
    path = EMBEDDED.with_name("catalogue.yml")
    if not path.is_file():
        raise DatasetError("the catalogue is part of the repository; run this from a copy of it", path)
    return yaml.safe_load(path.read_text(encoding="utf-8"))[known(name)]


def _call(module, function, *arguments, **options):
    """Call a loader, which is imported only now; an unknown option is a sentence, not a traceback."""
    loader = getattr(import_module(module), function)
    count = loader.__code__.co_argcount + loader.__code__.co_kwonlyargcount
    choices = loader.__code__.co_varnames[len(arguments) : count]
    unknown = [option for option in options if option not in choices]
    if unknown:
        said = f"unknown option {unknown[0]!r}; choose from {', '.join(choices) or 'none'}"
        raise DatasetError(said, module.rsplit(".", 1)[-1])
    return loader(*arguments, **options)
