"""``python -m mpcl``: a thin command line over the package."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        """Print the error alone and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def parser():
    """The commands and their options.

    Returns:
        :class:`argparse.ArgumentParser`.
    """
    top = Parser(prog="python -m mpcl", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser)
    fetch = commands.add_parser("fetch", help="a data set's terms, and its files once they are accepted")
    fetch.add_argument("name", help="data set, such as wesad")
    fetch.add_argument("--root", help="folder to put it into, or to check")
    fetch.add_argument("--accept-licence", action="store_true", help="you have read the terms and accept them")
    fetch.add_argument("--url", help="another address of the same archive")
    prepare = commands.add_parser("prepare", help="official files in, one contract file (netCDF) out")
    prepare.add_argument("name", help="data set, such as wesad")
    prepare.add_argument("--out", required=True, help="the contract file to write")
    inspect = commands.add_parser("inspect", help="what a contract file holds, and what is wrong with it")
    inspect.add_argument("name", help="contract file, or name of a data set")
    evaluate = commands.add_parser("evaluate", help="hold participants out and score methods, floors beside them")
    evaluate.add_argument("--dataset", default="simulated", help="name, or path of a contract file")
    evaluate.add_argument("--protocol", default="participants", help="participants or leave-one-participant-out")
    evaluate.add_argument("--methods", nargs="+", default=["all"], help="names, 'all' or 'floors'")
    evaluate.add_argument("--seeds", type=int, default=1, help="number of model seeds")
    evaluate.add_argument("--epochs", type=int, help="training epochs (default: those of the full profile)")
    evaluate.add_argument("--normalisation", default="transductive", help="transductive or inductive")
    evaluate.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    evaluate.add_argument("--out", required=True, help="results file; one that is there is resumed")
    for command in (prepare, inspect, evaluate):
        command.add_argument("--root", help="folder of the official files")
        command.add_argument("--recipe", help="wesad: label recipe, such as all24 or all24-sharp")
        command.add_argument("--conditions", help="wesad: five or three")
        command.add_argument("--features", help="wesad: signals or table159")
        command.add_argument("--table", help="wesad: folder of the third-party table (table159)")
    table = commands.add_parser("table", help="the table of a results file")
    table.add_argument("results", help="file that evaluate wrote")
    table.add_argument("--level", default="window", choices=["window", "trial"])
    table.add_argument("--participants", metavar="METRIC", help="one row a participant, of this metric")
    return top


def load(name, options):
    """The data set that the options of a command name.

    Args:
        name: catalogue name or path of a contract file.
        options: parsed options with ``root`` and those of the loader.

    Returns:
        :class:`xarray.Dataset`.
    """
    from mpcl.data.catalogue import open_dataset

    given = {key: getattr(options, key) for key in ("recipe", "conditions", "features", "table")}
    chosen = {key: value for key, value in given.items() if value}
    return open_dataset(name, options.root, **chosen)


def run_fetch(options):
    """Print the terms of a data set; fetch it if they are accepted, or check what is there."""
    from mpcl.data import catalogue, fetch
    from mpcl.settings import ParameterError

    entry = catalogue.entry(options.name)
    print(fetch.terms(entry))
    if "url" in entry:
        if not options.root or not options.accept_licence:
            raise ParameterError("to fetch it on these terms, add --root FOLDER --accept-licence")
        folder = fetch.fetch(entry, options.root, options.url)
        print(f"there, every file as it was unpacked: give {folder} as DATA_ROOT or --root")
    elif options.root and options.name == "dmer":
        from mpcl.data import dmer

        print(dmer.check_root(options.root) or f"{options.root}: nothing is wrong with it")


def run_prepare(options):
    """Write a contract file."""
    from mpcl.data import contract

    dataset = load(options.name, options)
    print(contract.summary(dataset))
    print(f"written: {contract.write(dataset, options.out)}")


def run_inspect(options):
    """Print what a data set holds."""
    from mpcl.data import contract

    dataset = load(options.name, options)
    print(contract.summary(dataset))
    print(f"  fingerprint {contract.fingerprint(dataset)}")


def run_evaluate(options):
    """Score methods and write the results file."""
    from mpcl.data import contract
    from mpcl.evaluation import results
    from mpcl.profiles import PROFILES
    from mpcl.settings import ParameterError

    if options.seeds < 1:
        raise ParameterError("--seeds must be at least 1")
    dataset = load(options.dataset, options)
    print(contract.summary(dataset))
    changes = {"normalisation": options.normalisation} | ({} if options.epochs is None else {"epochs": options.epochs})
    settings = replace(PROFILES["full"].settings, **changes)
    methods = options.methods[0] if options.methods[0] in ("all", "floors") else options.methods
    scored = results.evaluate(dataset, methods, options.protocol, range(options.seeds), settings, options.device,
                              options.out, progress=True)
    show(scored, "window")
    print(f"written: {options.out}")


def run_table(options):
    """Print the table of a results file."""
    from mpcl.evaluation import results
    from mpcl.settings import ParameterError

    scored = results.read(options.results)
    if options.participants and options.participants not in scored.metric.values:
        raise ParameterError(f"unknown metric {options.participants!r}; choose {', '.join(scored.metric.values)}")
    show(scored, options.level, options.participants)


def show(scored, level, metric=None):
    """Print a table that fits a terminal, and what made it."""
    from mpcl.evaluation import results

    print(results.describe(scored))
    if metric:
        print(results.participant_table(scored, metric, level=level).round(4).to_string(line_width=100))
    else:
        print(f"mean [95 % interval over participants], {level} level")
        print(results.table(scored, level=level).to_string(line_width=100))


def main(arguments=None):
    """Run one command; bad input is one line on standard error.

    Args:
        arguments: words of the command line; those of this process by default.

    Returns:
        int: 0, 2 for bad input, 1 for a run that failed.
    """
    options = parser().parse_args(arguments)
    from mpcl.data.contract import DatasetError
    from mpcl.settings import ParameterError
    from mpcl.training import TrainingError

    try:
        if getattr(options, "out", None) and Path(options.out).is_dir():
            raise ParameterError(f"{options.out} is a folder; give the name of a file")
        {"fetch": run_fetch, "prepare": run_prepare, "inspect": run_inspect, "evaluate": run_evaluate,
         "table": run_table}[options.command](options)
    except (DatasetError, ParameterError) as error:
        print("mpcl: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except (TrainingError, OSError) as error:
        print("mpcl: " + " ".join(str(error).split()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mpcl: interrupted; the same command goes on from what was finished", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
