"""``python -m mpcl``: a thin command line over the package."""

import argparse
import os
import subprocess
import sys
import textwrap
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import mpcl
from mpcl.errors import DatasetError, NotApplicable, ParameterError, TrainingError
from mpcl.locks import claimed
from mpcl.terminal import tolerant

if TYPE_CHECKING:
    import xarray as xr

    from mpcl.training.settings import Settings

Options = dict[str, dict[str, Any]]  # arguments of add_argument, by the option's name
LOADING: Options = {
    "--root": {"help": "folder of the official files"},
    "--recipe": {"help": "wesad: label recipe, such as all24 or all24-sharp"},
    "--conditions": {"help": "wesad: five or three"},
    "--features": {"help": "wesad: signals or table159"},
    "--table": {"help": "wesad: folder of the third-party table (table159)"},
    "--form": {"help": "dmer: features, aligned or raw (default: what is there)"},
    "--ratings": {"help": "dmer: folder with every Panas.csv, if the form lacks them"},
}
FETCH: Options = {
    "name": {"help": "data set, such as wesad"},
    "--root": {"help": "folder to put it into, or to check"},
    "--accept-licence": {
        "action": "store_true",
        "help": "you have read the terms and accept them",
    },
    "--url": {"help": "another address of the same archive"},
}
INSPECT: Options = LOADING | {"name": {"help": "contract file, or name of a data set"}}
PREPARE: Options = LOADING | {
    "name": {"help": "data set, such as wesad, or tables"},
    "plan": {"nargs": "?", "help": "tables: the .yml file that describes your study"},
    "--out": {"required": True, "help": "the contract file to write"},
}
TRAIN: Options = LOADING | {
    "--dataset": {"required": True, "help": "name, or path of a contract file"},
    "--out": {"required": True, "help": "folder of the model; a new one"},
    "--predictor": {"default": "mpcl", "help": "mpcl (default) or helo"},
    "--seeds": {"type": int, "default": 5, "help": "networks averaged (default: 5)"},
    "--protocol": {
        "default": "leave-one-participant-out",
        "help": "of the scores on its card (default: leave-one-participant-out); "
        "participants takes fewer runs, none takes none",
    },
    "--epochs": {"type": int, "help": "training epochs (default: 20)"},
    "--normalisation": {
        "default": "transductive",
        "help": "transductive, inductive or running",
    },
    "--device": {"default": "auto", "help": "auto, cpu, cuda, cuda:N or mps"},
}
PREDICT: Options = {
    "model": {"help": "folder that train wrote"},
    "recordings": {"help": "contract file; labels need not be there"},
    "--own": {"metavar": "ANSWERS", "help": "CSV of answers of the same people"},
    "--device": {"default": "cpu", "help": "auto, cpu, cuda, cuda:N or mps"},
    "--out": {"required": True, "help": "predictions to write, .nc or .csv"},
}
EVALUATE: Options = LOADING | {
    "--dataset": {
        "default": "simulated",
        "help": "name, or path of a contract file",
    },
    "--protocol": {
        "nargs": "+",
        "default": ["participants"],
        "help": "participants, leave-one-participant-out, clips, trials or "
        "leaky-windows; with -without-behavioural (or another branch) behind it, "
        "held-out windows lack that branch",
    },
    "--methods": {
        "nargs": "+",
        "default": ["all"],
        "help": "names, 'all', 'floors', or my_module:Mine for a predictor of yours",
    },
    "--reads": {
        "nargs": "+",
        "choices": ["trials", "windows"],
        "help": "what a predictor reads that can read both (default: trials)",
    },
    "--seeds": {"type": int, "default": 1, "help": "number of model seeds"},
    "--cohorts": {
        "type": int,
        "help": "number of simulated cohorts, in place of the committed one",
    },
    "--people": {"type": int, "help": "participants of each of them (default: 40)"},
    "--world": {"help": "gaussian (default) or blends: what the people of them feel"},
    "--epochs": {
        "type": int,
        "help": "training epochs (default: those of the full profile)",
    },
    "--normalisation": {
        "default": "transductive",
        "help": "transductive, inductive or running",
    },
    "--device": {"default": "auto", "help": "auto, cpu, cuda, cuda:N or mps"},
    "--out": {
        "required": True,
        "help": "results file; one that is there is resumed",
    },
    "--renew": {
        "action": "store_true",
        "help": "score again the predictors whose code has changed since",
    },
    "--keep-predictions": {
        "action": "store_true",
        "help": "keep every prediction too, in a folder beside the results file",
    },
}
GRID: Options = {
    "grid": {"help": "YAML file: notebooks, evaluations, preparations"},
    "--scheduler": {"metavar": "ADDRESS", "help": "a Dask scheduler that is running"},
    "--workers": {"type": int, "default": 2, "help": "processes here (default: 2)"},
    "--slurm": {"action": "store_true", "help": "workers are jobs of SLURM"},
    "--dry-run": {"action": "store_true", "help": "print what would be run, or sent"},
    "--out": {"required": True, "help": "folder of results; what is done stays"},
}
TABLE: Options = {
    "results": {"help": "file that evaluate wrote"},
    "--level": {"default": "trial", "choices": ["window", "trial"]},
    "--reads": {
        "choices": ["trials", "windows"],
        "help": "what predictors read (default: trials where they did)",
    },
    "--protocol": {"help": "one of the file's protocols (default: all)"},
    "--metrics": {
        "nargs": "+",
        "default": ["chebyshev", "kl", "cosine"],
        "help": "names, or 'all'",
    },
    "--differences": {
        "metavar": "PREDICTOR",
        "help": "paired differences of the others from this one",
    },
    "--participants": {
        "metavar": "METRIC",
        "help": "one row a participant, of this metric",
    },
}
COMPARE: Options = {
    "results": {"help": "file that evaluate wrote"},
    "other": {"help": "file that it should reproduce, such as one of data/results"},
    "--tolerance": {
        "type": float,
        "default": 5e-4,
        "help": "how far the mean of a predictor may be off, in Chebyshev distance "
        "and KL (default: 0.0005)",
    },
}
LAB: Options = {
    "chapter": {"help": "such as 04; lab1; bring, for your own data; or all"},
    "--to": {"required": True, "help": "folder to write into; what is there stays"},
    "--open": {"action": "store_true", "help": "open it in JupyterLab"},
    "--seed-of": {"metavar": "STUDENT", "default": "", "help": "data of one's own"},
}

INBOX: Options = {
    "inbox": {"help": "folder with what came in: .ipynb, .py, .zip, any names"},
    "--lab": {"required": True, "help": "its name, such as 03 or lab1"},
}
COLLECT: Options = INBOX | {
    "--nbgrader": {"metavar": "COURSE", "help": "write clean notebooks for nbgrader"},
}
GRADE: Options = INBOX | {
    "--to": {"required": True, "help": "folder for grades.json and gradebook.csv"},
    "--secret": {"default": "", "help": "a word: its data are yours alone"},
    "--seconds": {
        "type": float,
        "default": 10.0,
        "help": "of computing that an answer may take on each data (default: 10)",
    },
}
FEEDBACK: Options = {"folder": {"help": "the folder that grade wrote"}}
QUIZ: Options = {"--gift": {"required": True, "help": "the file to write for Moodle"}}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12 and newer
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """The commands and their options."""
    top = Parser(prog="python -m mpcl", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, (run, text, options) in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run, out=None)
        for option, arguments in options.items():
            command.add_argument(option, **arguments)
    return top


def run_fetch(options: Namespace) -> None:
    """Print the terms of a data set; fetch it if they are accepted, or check it."""
    from mpcl.data import catalogue, fetch

    entry = catalogue.entry(options.name)
    print(fetch.terms(entry))
    if "url" in entry:
        if not options.root or not options.accept_licence:
            raise ParameterError(
                "to fetch it on these terms, add --root FOLDER --accept-licence"
            )
        folder = fetch.fetch(entry, options.root, options.url)
        print(
            f"there, every file as it was unpacked: give {folder} as DATA_ROOT or "
            "--root"
        )
    elif options.root and options.name == "dmer":
        from mpcl.data.dmer.load import check_root

        print(f"In {options.root}:")
        for sentence in check_root(options.root):
            print(f"  {sentence}")


def run_prepare(options: Namespace) -> None:
    """Write a contract file."""
    from mpcl.data import catalogue, contract

    contract.replaceable(options.out)
    with claimed(options.out):
        if options.name == "tables":
            from mpcl.laboratory import tables

            print(tables.prepare(options.plan, options.out))
        else:
            dataset = load(options.name, options)
            print(described(dataset))
            contract.write(dataset, catalogue.replaceable(options.out, dataset))
    print(f"written: {options.out}")


def run_inspect(options: Namespace) -> None:
    """Print what a data set holds."""
    from mpcl.data import contract

    dataset = load(options.name, options)
    print(described(dataset))
    print(f"  fingerprint {contract.fingerprint(dataset)}")


def run_train(options: Namespace) -> None:
    """Train a model on everybody and keep it as a folder."""
    from mpcl.laboratory import kept, train

    kept.new_folder(options.out)
    with claimed(options.out):
        model = train.train(
            load(options.dataset, options),
            options.predictor,
            options.seeds,
            settings_of(options),
            options.device,
            options.protocol,
        )
        kept.keep(model, options.out)
    print(f"written: {options.out}; read {Path(options.out) / 'card.md'} first")


def run_predict(options: Namespace) -> None:
    """Predict recordings with a model that was kept."""
    from mpcl.laboratory import predict

    files = options.model, options.recordings, options.out
    print(predict.from_files(*files, options.own, options.device))
    print(f"written: {options.out}")


def run_evaluate(options: Namespace) -> None:
    """Score predictors and write the results file."""
    if options.seeds < 1:
        raise ParameterError("--seeds must be at least 1")
    cohorts = load_cohorts(options)
    print(described(cohorts[0]))
    scored = mpcl.evaluate(
        cohorts,
        options.methods,
        options.protocol,
        range(options.seeds),
        settings_of(options),
        options.device,
        options.out,
        progress=True,
        renew=options.renew,
        reads=options.reads,
        keep_predictions=options.keep_predictions,
    )
    show(scored, "trial", ["chebyshev", "kl", "cosine"])
    print(f"written: {options.out}")


def settings_of(options: Namespace) -> "Settings":
    """Those of the full profile, with the choices of a command line."""
    from mpcl.notebook import PROFILES

    changes: dict[str, Any] = {"normalisation": options.normalisation}
    if options.epochs is not None:
        changes["epochs"] = options.epochs
    return replace(PROFILES["full"].settings, **changes)


def described(dataset: "xr.Dataset") -> str:
    """What a data set holds and misses, and what in it looks like a copy."""
    from mpcl.data import contract
    from mpcl.data.copies import copies

    notes = [f"  note: {sentence}" for sentence in copies(dataset)]
    return "\n".join([contract.summary(dataset), *notes])


def load(name: str, options: Namespace) -> "xr.Dataset":
    """The data set that the options of a command name."""
    chosen = {
        key: value
        for key, value in vars(options).items()
        if value is not None and f"--{key}" in LOADING
    }
    return mpcl.open_dataset(name, chosen.pop("root", None), **chosen)


def load_cohorts(options: Namespace) -> "list[xr.Dataset]":
    """The data set of a name, or as many simulated cohorts as ``--cohorts`` says."""
    if options.cohorts is None:
        if options.people or options.world:
            raise ParameterError(
                "--people is the size of simulated cohorts, --world is theirs too; say "
                "how many with --cohorts"
            )
        return [load(options.dataset, options)]
    if options.dataset != "simulated" or options.cohorts < 1:
        raise ParameterError(
            "--cohorts takes a number from 1 on, and the data set simulated"
        )
    from mpcl.simulation import cohort

    size: dict[str, Any] = {**cohort.BENCHMARK, "latent": options.world or "gaussian"}
    if options.people:
        size["participants"] = options.people
    return [cohort.cohort(**size, seed=seed + 1) for seed in range(options.cohorts)]


def run_grid(options: Namespace) -> int:
    """Work off a grid of notebooks, evaluations and preparations."""
    from mpcl.laboratory import cluster, grid

    plan = grid.read(options.grid, options.out)
    if options.slurm and not isinstance(plan.slurm, dict):
        raise ParameterError(f"{options.grid}: --slurm needs a section slurm in it")
    if options.dry_run:
        if options.slurm:
            with cluster.slurm_cluster(plan.slurm or {}) as jobs:
                print(jobs.job_script())
        for each in (task for stage in plan.stages for task in stage):
            print(f"{each.kind:12} {each.folder}")
        return 0
    failed = cluster.run(
        plan,
        options.out,
        scheduler=options.scheduler,
        workers=options.workers,
        slurm=plan.slurm if options.slurm else None,
    )
    return 1 if failed else 0


def run_table(options: Namespace) -> None:
    """Print the table of a results file."""
    from mpcl.evaluation import results, tables

    scored = results.read(options.results)
    metric, level, reads = options.participants, options.level, options.reads
    if not metric:
        show(
            scored, level, options.metrics, options.protocol, options.differences, reads
        )
        return
    print(tables.describe(scored))
    for name in [options.protocol] if options.protocol else scored.protocol.values:
        frame = tables.participant_table(scored, metric, name, level, reads)
        print(f"\n{metric}, {name}")
        print(frame.round(4).to_string(line_width=100))


def run_compare(options: Namespace) -> int:
    """Print how far two results files lie apart.

    1 where that is further than the tolerance, or where they share nothing.
    """
    from mpcl.evaluation import results, tables

    ours, other = results.read(options.results), results.read(options.other)
    apart = tables.apart(ours, other)
    for path, file in ((options.results, ours), (options.other, other)):
        print(
            f"{path}: commit {file.commit}, {file.device}, data {file.data_fingerprint}"
        )
    print(apart.to_string(float_format="{:+.6f}".format))
    means = apart.filter(like="mean").abs().max(axis=1)
    off = [str(name) for name in means.index[~(means <= options.tolerance)]]
    if off or apart.empty:
        what = ", ".join(off) or "no score in common"
        sentence = f"mpcl: not reproduced within {options.tolerance:g}: {what}"
        print(sentence, file=sys.stderr)
        return 1
    print(f"reproduced: {len(apart)} predictors within {options.tolerance:g}")
    return 0


def run_lab(options: Namespace) -> int:
    """Write the notebooks of a chapter for a student, and open them if asked to."""
    from mpcl.teaching import lab

    folder = Path(options.to)
    for name in lab.pages() if options.chapter == "all" else [options.chapter]:
        for file, is_new in lab.write(name, folder, options.seed_of).items():
            print(f"written: {file}" if is_new else f"there already, kept: {file}")
    if not options.open:
        return 0
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(folder)]).returncode


def run_collect(options: Namespace) -> None:
    """Print who handed in what."""
    from mpcl.teaching.collect import collect, left_out

    submissions = collect(Path(options.inbox), options.lab)
    for file in left_out(Path(options.inbox)):
        print(f"{file} was left out: it is no .ipynb, .py or .zip")
    for submission in submissions:
        answers = submission.answers
        count = sum(bool(answer.source) for answer in answers.values())
        files = ", ".join(submission.files)
        print(f"{submission.student}: {count} of {len(answers)} answered, in {files}")
        for key, answer in answers.items():
            if answer.missing:
                print(f"  {key}: {answer.missing}")
        for note in submission.notes:
            print(f"  {note}")
    if options.nbgrader:
        from mpcl.teaching import nbgrader

        files = nbgrader.write(submissions, options.lab, Path(options.nbgrader))
        print(f"written: {len(files)} notebooks in {options.nbgrader}")


def run_grade(options: Namespace) -> None:
    """Grade a class and write its gradebook."""
    from mpcl.teaching import grade
    from mpcl.teaching.processes import Limits

    folder, limits = Path(options.to), Limits(seconds=options.seconds)
    grades = grade.grade(Path(options.inbox), options.lab, options.secret, limits)
    files = grade.write(grades, folder)
    print((folder / "gradebook.csv").read_text("utf-8"), end="")
    for file in files:
        print(f"written: {file}")
    if (folder / "rubric.csv").is_file():
        print("read texts.md, write 0, 1 or 2 into rubric.csv; then: feedback")


def run_feedback(options: Namespace) -> None:
    """Write a page for each student."""
    from mpcl.teaching import feedback

    for file in feedback.write(Path(options.folder)):
        print(f"written: {file}")


def run_similar(options: Namespace) -> None:
    """Print pairs of answers that are equal but for names."""
    from mpcl.teaching.collect import collect
    from mpcl.teaching.similar import similar

    pairs = similar(collect(Path(options.inbox), options.lab))
    for size, key, first, second in pairs:
        print(f"{key}: {first} and {second} ({size} syntax nodes)")
    print(f"{len(pairs)} equal pairs; short answers agree by themselves: talk first")


def run_quiz(options: Namespace) -> None:
    """Write the quizzes of the book in Moodle's format."""
    from mpcl.teaching import quiz

    print(f"written: {quiz.write(Path(options.gift))} questions in {options.gift}")


def show(
    scored: "xr.Dataset",
    level: str,
    metrics: list[str],
    protocol: str | None = None,
    against: str | None = None,
    reads: str | None = None,
) -> None:
    """What made a file and, for each protocol, tables that fit a terminal.

    One of readers of trials and one of readers of windows, if any predictor is both.
    """
    from mpcl.evaluation import tables

    print(textwrap.fill(tables.describe(scored), 100))
    if metrics == ["all"]:
        metrics = scored.metric.values.tolist()
    make = partial(tables.table, scored)
    what, width = "mean and 95 % over participants", 3
    if against:
        make = partial(tables.difference_table, scored, against)
        what, width = f"minus {against}, family by Holm, * beyond chance", 2
    readings = ["trials", "windows"] if tables.both_readings(scored) else [None]
    for name, word in product(
        [protocol] if protocol else scored.protocol.values,
        [reads] if reads else readings,
    ):
        print(f"\n{name}, {level} level: {what}")
        for at in range(0, len(metrics), width):
            print(make(name, level, metrics[at : at + width], word).to_string())


COMMANDS: dict[str, tuple[Callable[[Namespace], int | None], str, Options]] = {
    "fetch": (
        run_fetch,
        "a data set's terms, and its files once they are accepted",
        FETCH,
    ),
    "prepare": (
        run_prepare,
        "official files in, one contract file (netCDF) out",
        PREPARE,
    ),
    "inspect": (
        run_inspect,
        "what a contract file holds, and what is wrong with it",
        INSPECT,
    ),
    "train": (run_train, "train a model on everybody, and keep it", TRAIN),
    "predict": (run_predict, "what a kept model says of new recordings", PREDICT),
    "evaluate": (
        run_evaluate,
        "hold windows out and score predictors, floors beside them",
        EVALUATE,
    ),
    "grid": (run_grid, "many runs, on this machine or a cluster; goes on", GRID),
    "table": (run_table, "the table of a results file", TABLE),
    "compare": (
        run_compare,
        "whether a run reproduced another; exit code 1 where it did not",
        COMPARE,
    ),
    "lab": (
        run_lab,
        "the exercises of a chapter as a notebook and a script to write answers in",
        LAB,
    ),
    "collect": (run_collect, "who handed in which answers, and what is wrong", COLLECT),
    "grade": (run_grade, "grade a class; student code runs: use a container", GRADE),
    "feedback": (run_feedback, "a page for each student that was graded", FEEDBACK),
    "similar": (run_similar, "answers that are equal but for names", INBOX),
    "quiz": (run_quiz, "the questions of the quizzes for Moodle (GIFT)", QUIZ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; bad input is one line on standard error.

    Returns:
        0, 2 for bad input, 1 for a run that failed or was not reproduced.
    """
    options = parser().parse_args(arguments)
    for name, value in vars(options).items():
        if isinstance(value, str) and value.startswith("~"):  # --out=~/file: no shell's
            setattr(options, name, os.path.expanduser(value))
    try:
        is_file = options.out and options.run not in (run_train, run_grid)
        if is_file and Path(options.out).is_dir():
            raise ParameterError(f"{options.out} is a folder; give the name of a file")
        with tolerant():
            return options.run(options) or 0
    except (DatasetError, ParameterError, NotApplicable) as error:
        sentence, code = str(error), 2
    except (TrainingError, OSError, MemoryError) as error:
        sentence, code = str(error), 1
    except KeyboardInterrupt:
        sentence, code = "interrupted; the same command goes on from what was done", 1
    print("mpcl: " + " ".join(sentence.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
