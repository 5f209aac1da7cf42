"""``python -m mpcl``: a thin command line over the package."""

import argparse
import sys
import textwrap
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
    evaluate = commands.add_parser("evaluate", help="hold windows out and score methods, floors beside them")
    evaluate.add_argument("--dataset", default="simulated", help="name, or path of a contract file")
    evaluate.add_argument("--protocol", nargs="+", default=["participants"],
                          help="participants, leave-one-participant-out, clips, trials or leaky-windows; with "
                               "-without-behavioural (or another branch) behind it, held-out windows lack that branch")
    evaluate.add_argument("--methods", nargs="+", default=["all"], help="names, 'all' or 'floors'")
    evaluate.add_argument("--seeds", type=int, default=1, help="number of model seeds")
    evaluate.add_argument("--cohorts", type=int, help="number of simulated cohorts, in place of the committed one")
    evaluate.add_argument("--people", type=int, help="participants of each of them (default: 40)")
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
        command.add_argument("--form", help="dmer: features, aligned or raw (default: what is there)")
        command.add_argument("--ratings", help="dmer: folder with every Panas.csv, where the form lacks them")
    table = commands.add_parser("table", help="the table of a results file")
    table.add_argument("results", help="file that evaluate wrote")
    table.add_argument("--level", default="window", choices=["window", "trial"])
    table.add_argument("--protocol", help="one of the file's protocols (default: all)")
    table.add_argument("--metrics", nargs="+", default=["chebyshev", "kl", "cosine"], help="names, or 'all'")
    table.add_argument("--differences", metavar="METHOD", help="paired differences of the others from this method")
    table.add_argument("--participants", metavar="METRIC", help="one row a participant, of this metric")
    compare = commands.add_parser("compare", help="whether a run reproduced another; exit code 1 where it did not")
    compare.add_argument("results", help="file that evaluate wrote")
    compare.add_argument("other", help="file that it should reproduce, such as one of data/results")
    compare.add_argument("--tolerance", type=float, default=5e-4,
                         help="how far the mean of a method may be off, in Chebyshev distance and KL (default: 0.0005)")
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

    given = {key: getattr(options, key) for key in ("recipe", "conditions", "features", "table", "form", "ratings")}
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

        print("\n".join([f"In {options.root}:", *(f"  {told}" for told in dmer.check_root(options.root))]))


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
    from mpcl.evaluation import results
    from mpcl.evaluation.protocol import check_methods
    from mpcl.profiles import PROFILES
    from mpcl.settings import ParameterError

    if options.seeds < 1:
        raise ParameterError("--seeds must be at least 1")
    datasets = load_cohorts(options)
    changes = {"normalisation": options.normalisation} | ({} if options.epochs is None else {"epochs": options.epochs})
    settings = replace(PROFILES["full"].settings, **changes)
    methods = [name for word in options.methods for name in check_methods(word)]
    scored = results.evaluate(datasets, methods, options.protocol, range(options.seeds), settings, options.device,
                              options.out, progress=True)
    show(scored, "window", ["chebyshev", "kl", "cosine"])
    print(f"written: {options.out}")


def load_cohorts(options):
    """The one data set of a name, or as many simulated cohorts of benchmark size as ``--cohorts`` says, from seed 1.

    Args:
        options: parsed options of ``evaluate``.

    Returns:
        list of :class:`xarray.Dataset`.
    """
    from mpcl.data import contract, simulated
    from mpcl.settings import ParameterError

    if options.people and options.cohorts is None:
        raise ParameterError("--people is the size of simulated cohorts; say how many with --cohorts")
    if options.cohorts is None:
        datasets = [load(options.dataset, options)]
    elif options.dataset != "simulated" or options.cohorts < 1:
        raise ParameterError("--cohorts takes a number from 1 on, and the data set simulated")
    else:
        size = simulated.BENCHMARK | ({"participants": options.people} if options.people else {})
        datasets = [simulated.cohort(**size, seed=seed) for seed in range(1, options.cohorts + 1)]
    print(contract.summary(datasets[0]))
    return datasets


def run_table(options):
    """Print the table of a results file."""
    from mpcl.evaluation import results
    from mpcl.settings import ParameterError

    scored = results.read(options.results)
    if options.protocol:
        if options.protocol not in scored.protocol.values:
            raise ParameterError(f"no protocol {options.protocol!r} here; choose {', '.join(scored.protocol.values)}")
        scored = scored.sel(protocol=[options.protocol])
    if not options.participants:
        chosen = None if options.metrics == ["all"] else options.metrics
        return show(scored, options.level, chosen, options.differences)
    if options.participants not in scored.metric.values:
        raise ParameterError(f"unknown metric {options.participants!r}; choose {', '.join(scored.metric.values)}")
    print(results.describe(scored))
    for protocol in scored.protocol.values:
        frame = results.participant_table(scored, options.participants, protocol, options.level)
        print(f"\n{options.participants}, {protocol}", frame.round(4).to_string(line_width=100), sep="\n")


def run_compare(options):
    """Print how far two results files lie apart; 1 where that is further than the tolerance, or nothing is shared."""
    from mpcl.evaluation import results

    files = [results.read(path) for path in (options.results, options.other)]
    apart = results.apart(*files)
    for path, one in zip((options.results, options.other), files, strict=True):
        print(f"{path}: commit {one.commit}, code {one.code_fingerprint}, {one.device}, data {one.data_fingerprint}")
    print(apart.to_string(float_format="{:+.6f}".format))
    means = apart.filter(like="mean").abs().max(axis=1)
    off = [str(name) for name in means.index[~(means <= options.tolerance)]]
    if off or apart.empty:
        print(f"mpcl: not reproduced within {options.tolerance:g}: {', '.join(off) or 'no score in common'}",
              file=sys.stderr)
        return 1
    print(f"reproduced: {len(apart)} methods within {options.tolerance:g}")
    return 0


def show(scored, level, metrics=None, against=None):
    """Print what made a file and, for each protocol, tables of a few metrics that fit a terminal."""
    from mpcl.evaluation import results

    print(textwrap.fill(results.describe(scored), 100))
    metrics = list(scored.metric.values) if metrics is None else metrics
    size = 2 if against else 3
    for protocol in scored.protocol.values:
        what = f"minus {against}, family by Holm, * beyond chance" if against else "mean and 95 % over participants"
        print(f"\n{protocol}, {level} level: {what}")
        for some in (metrics[at : at + size] for at in range(0, len(metrics), size)):
            frame = (results.difference_table(scored, against, protocol, level, some) if against
                     else results.table(scored, protocol, level, some))
            print(frame.to_string())


def main(arguments=None):
    """Run one command; bad input is one line on standard error.

    Args:
        arguments: words of the command line; those of this process by default.

    Returns:
        int: 0, 2 for bad input, 1 for a run that failed or was not reproduced.
    """
    options = parser().parse_args(arguments)
    from mpcl.data.contract import DatasetError
    from mpcl.settings import ParameterError
    from mpcl.training import TrainingError

    try:
        if getattr(options, "out", None) and Path(options.out).is_dir():
            raise ParameterError(f"{options.out} is a folder; give the name of a file")
        run = {"fetch": run_fetch, "prepare": run_prepare, "inspect": run_inspect, "evaluate": run_evaluate,
               "table": run_table, "compare": run_compare}[options.command]
        return run(options) or 0
    except (DatasetError, ParameterError) as error:
        print("mpcl: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except (TrainingError, OSError) as error:
        print("mpcl: " + " ".join(str(error).split()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mpcl: interrupted; the same command goes on from what was finished", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
