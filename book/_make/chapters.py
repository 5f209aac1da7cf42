"""Run the chapters, keep their committed outputs fresh, and make the book.

A chapter is a notebook that ``_toc.yml`` names. Its committed outputs are those of one
run of its default parameters, see :mod:`book._make.fresh`. ::

    python -m book._make.chapters build      run what is stale here, render _build/html
    python -m book._make.chapters refresh    renew the committed outputs that are stale
"""

import argparse
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import nbformat
import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from book._make.contents import BookError, chapters, pages
from book._make.fresh import (
    clean,
    code_cells,
    is_current,
    read_notebook,
    seal,
    stale,
    text_of,
    with_outputs,
)
from book._make.render import COLOUR, render, stage
from mpcl.files import write_text
from mpcl.provenance import ROOT, hash_of

LOADED = """\
import json, sys
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "mpcl")))
"""
PLACES = r"(?m)^(?:File |Cell )?(\S+:\d+|In\[\d+\], line \d+)(?:, in (\w+))?"


@dataclass(frozen=True)
class Record:
    """One run of a chapter on this machine, and how many outputs it changed."""

    python: str
    device: str
    torch: str
    seconds: float
    ended: str
    differ: int = 0


# Running ------------------------------------------------------------------------------


def execute(path: Path, out: Path, **parameters: object) -> list[str]:
    """Run a notebook with papermill in its own folder, with values for its parameters.

    Returns the modules of mpcl that it loaded. Of a failed run, ``out`` holds the cells
    up to the one that failed.

    Raises:
        papermill.exceptions.PapermillExecutionError: if a cell fails.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # the kernel chooses: figures go into the notebook
    os.environ.pop("MPLBACKEND", None)
    out.parent.mkdir(parents=True, exist_ok=True)
    notebook = read_notebook(path)
    notebook.cells.append(nbformat.v4.new_code_cell(LOADED))
    ran = papermill.execute_notebook(
        notebook,
        str(out.resolve()),
        parameters=parameters,
        cwd=str(path.resolve().parent),
        kernel_name="python3",
        progress_bar=False,
        extra_arguments=["--log-level=50"],
        coalesce_streams=True,
    )
    modules = json.loads(ran.cells.pop().outputs[0].text)
    write_text(text_of(ran), out)
    return modules


def kept_record(path: Path, kept: Path) -> Record | None:
    """The record of a run that is kept, if it is one of the chapter as it stands.

    A graphics card or another Python may give other digits.
    """
    file = kept.with_suffix(".json")
    if not (kept.exists() and file.exists() and is_current(read_notebook(kept), path)):
        return None
    fields = json.loads(file.read_text(encoding="utf-8"))
    here = {"python": platform.python_version(), "device": _device()}
    return Record(**fields) if here.items() <= fields.items() else None


def run(path: Path, kept: Path) -> tuple[Record, list[str]]:
    """Run a chapter with its defaults; the record, and the modules that it loaded."""
    kept.with_suffix(".json").unlink(missing_ok=True)
    begin = time.monotonic()
    modules = execute(path, kept)
    record = Record(
        python=platform.python_version(),
        device=_device(),
        torch=version("torch").split("+")[0],
        seconds=round(time.monotonic() - begin, 1),
        ended=time.strftime("%Y-%m-%d %H:%M"),
    )
    return record, modules


def keep(path: Path, kept: Path, record: Record, modules: list[str]) -> None:
    """Seal a run of a chapter, so that it is reused until something changes."""
    ran = clean(read_notebook(kept))
    seal(ran, path, modules)
    write_text(text_of(ran), kept)
    write_text(json.dumps(asdict(record)), kept.with_suffix(".json"))


def _printed(cell: NotebookNode) -> list[object]:
    """The texts that a cell gave, without its pictures."""
    texts: list[object] = []
    for output in cell.outputs:
        data = output.get("data", {})
        text = {kind: data[kind] for kind in data if kind.startswith("text/")}
        texts.append(output.get("text", text))
    return texts


def differences(committed: NotebookNode, ran: NotebookNode) -> int:
    """How many cells print something else in a run of the same code cells.

    Cells with the tag ``provenance`` name the machine, and do not count.
    """
    pairs = zip(code_cells(committed), code_cells(ran), strict=True)
    return sum(
        _printed(cell) != _printed(again)
        for cell, again in pairs
        if "provenance" not in cell.metadata.get("tags", [])
    )


def _device() -> str:
    """``cuda`` or ``cpu``, without the seconds that importing torch takes."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return "cuda" if shutil.which("nvidia-smi") and not hidden else "cpu"


def run_all(
    paths: Sequence[Path], jobs: int, root: Path = ROOT
) -> dict[Path, tuple[NotebookNode, Record]]:
    """Chapters with the outputs of a run, made side by side where none is kept.

    Fingerprints are taken in this thread alone: ast in Python 3.11 loses count of its
    depth where two threads parse at once.

    Raises:
        BookError: when all have ended, if any failed.
    """
    places = {path: root / "_build" / "runs" / path.relative_to(root) for path in paths}
    records: dict[Path, Record] = {}
    for path, kept in places.items():
        record = kept_record(path, kept)
        if record:
            records[path] = record
            print(f"{path.relative_to(root)}  reused the run of {record.ended}")
    failed: list[Path] = []
    todo = [path for path in paths if path not in records]
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(run, path, places[path]): path for path in todo}
        for number, future in enumerate(as_completed(waiting), 1):
            path, error = waiting[future], future.exception()
            line = f"[{number}/{len(todo)}] {path.relative_to(root)}"
            if error:  # a chapter may fail in any way; the others go on
                failed.append(path)
                print(f"{line}  FAILED {essence(error)}", flush=True)
            else:
                records[path], modules = future.result()
                keep(path, places[path], records[path], modules)
                print(f"{line}  {records[path].seconds} s", flush=True)
    if failed:
        raise BookError(
            f"{len(failed)} of {len(paths)} chapters failed, so nothing is rendered; "
            "each run up to its failure is kept, such as "
            f"{places[failed[0]].relative_to(root)}"
        )
    print(f"Ran {len(todo)} chapters, reused {len(paths) - len(todo)} runs.")
    return {path: _outcome(path, places[path], records[path]) for path in paths}


def _outcome(path: Path, kept: Path, record: Record) -> tuple[NotebookNode, Record]:
    chapter, ran = read_notebook(path), read_notebook(kept)
    record = replace(record, differ=differences(chapter, ran))
    return with_outputs(chapter, ran), record


def essence(error: BaseException) -> str:
    """What a person needs of a failed run: the cell, the error, the places in code."""
    if not isinstance(error, PapermillExecutionError):
        return f"{type(error).__name__}: {error}"
    trace = COLOUR.sub("", "\n".join(error.traceback or []))
    places = re.findall(PLACES, trace.replace(f"{ROOT}{os.sep}", ""))
    ours = [place for place in places if re.match(r"mpcl|book|In\[", place[0])]
    where = "".join(
        f"\n      at {place}, in {name}" if name else f"\n      at {place}"
        for place, name in ours or places[-1:]
    )
    message = "\n      ".join(str(error.evalue).strip().splitlines()[:12])
    cell = f"at cell {error.cell_index + 1}, In [{error.exec_count}]"
    return f"{cell}: {error.ename}: {message}{where}"


# Making the book ----------------------------------------------------------------------


def row(path: Path, notebook: NotebookNode, record: Record | None) -> str:
    """A chapter's line in the table of runs."""
    name = f"{{doc}}`{path.stem}`"
    mark = notebook.metadata.get("mpcl", {}).get("fingerprint", "none")
    if record is None:
        return f"| {name} | | | | `{mark}` | committed outputs, not run here |"
    result = "same as committed"
    if record.differ:
        result = f"outputs that differ from the committed ones: {record.differ}"
    return (
        f"| {name} | {record.seconds:.0f} s | {record.device} "
        f"| Python {record.python}, torch {record.torch} | `{mark}` "
        f"| passed {record.ended}, {result} |"
    )


def build(jobs: int = 2, root: Path = ROOT) -> None:
    """Run the chapters that are stale on this machine; render, if anything changed."""
    place = root / "_build"
    html, mark = place / "html", place / "rendered"
    results = run_all(chapters(root), jobs, root)
    notebooks = {path: notebook for path, (notebook, _) in results.items()}
    rows = [row(path, *outcome) for path, outcome in results.items()]
    stage(place / "stage", notebooks, rows, root)
    staged: list[str | bytes] = [os.environ.get("BOOK_REPOSITORY", "")]
    for path in sorted((place / "stage").rglob("*")):
        if path.is_file():
            staged += [path.relative_to(place).as_posix(), path.read_bytes()]
    digest = hash_of(*staged)
    if (html / "index.html").exists() and mark.exists() and mark.read_text() == digest:
        print("No page changed since the book was rendered.")
    else:
        print("Rendering ...", flush=True)
        begin = time.monotonic()
        mark.unlink(missing_ok=True)
        render(place / "stage", html, root)
        write_text(digest, mark)
        print(f"Rendered {len(pages(root))} pages in {time.monotonic() - begin:.1f} s.")
    print(f"The book: {html / 'index.html'}")


def refresh(jobs: int = 2, everything: bool = False, root: Path = ROOT) -> None:
    """Renew the committed outputs that are stale; the others stay byte for byte.

    They are those of the processor, which every machine can repeat.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if everything:
        shutil.rmtree(root / "_build" / "runs", ignore_errors=True)
    todo = [path for path in chapters(root) if everything or stale(path)]
    results = run_all(todo, jobs, root)
    for path in chapters(root):
        notebook = results[path][0] if path in results else clean(read_notebook(path))
        renewed = text_of(notebook) != path.read_text(encoding="utf-8")
        if renewed:
            write_text(text_of(notebook), path)
        print(f"{path.relative_to(root)}: {'renewed' if renewed else 'unchanged'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: ``build`` or ``refresh``."""
    parser = argparse.ArgumentParser(
        prog="python -m book._make.chapters",
        description="Run the chapters, and make the book.",
    )
    parser.add_argument("what", choices=["build", "refresh"])
    parser.add_argument(
        "-j", "--jobs", type=int, default=2, help="notebooks at a time (default 2)"
    )
    parser.add_argument(
        "--all", action="store_true", help="refresh: run every chapter, stale or not"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.what == "build":
            build(chosen.jobs)
        else:
            refresh(chosen.jobs, chosen.all)
    except BookError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
