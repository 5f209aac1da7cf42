"""Run the chapters, keep their committed outputs fresh, and render the book.

A chapter is a notebook that ``_toc.yml`` names. Its committed outputs are those of one run of its
default parameters; its metadata hold a fingerprint of everything that run depended on: the code
cells, the modules of this package that they import, the data files, the locked versions. ::

    python -m mpcl.notebooks build      run what is stale on this machine, then render _build/html
    python -m mpcl.notebooks refresh    renew the committed outputs that are stale, in place
"""

import argparse
import copy
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import nbformat
import papermill
import psutil
import yaml

from mpcl.freshness import clean, hash_of, hash_of_outputs, parts, stale, text_of, with_outputs

ROOT = Path(__file__).resolve().parents[1]
PARSING = threading.Lock()  # ast in Python 3.11 loses count of its depth where two threads parse at once
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STATUS = "book/run_status.md"  # its table of runs is written by the build
NUMBERS = "_static/numbers"  # of the figures, a table each
LEFT_OUT = shutil.ignore_patterns("derived", "__pycache__", ".ipynb_checkpoints", ".*", "*.ipynb")


class BookError(Exception):
    """Why the book cannot be made, in words for the person who ran the command."""


def pages(root=ROOT):
    """The pages that ``_toc.yml`` names, without suffix, in reading order.

    Args:
        root: folder that holds ``_toc.yml``.

    Returns:
        list of str, such as ``book/index``.
    """
    def walk(node):
        for key, value in node.items():
            if key in ("root", "file"):
                yield value
            elif isinstance(value, list):
                for entry in value:
                    yield from walk(entry)

    return list(walk(yaml.safe_load((Path(root) / "_toc.yml").read_text(encoding="utf-8"))))


def chapters(root=ROOT):
    """The notebooks of the book, in reading order.

    Args:
        root: folder that holds ``_toc.yml``.

    Returns:
        list of :class:`~pathlib.Path`.

    Raises:
        BookError: for a page that is neither a notebook nor a text.
    """
    found = [Path(root) / page for page in pages(root)]
    absent = [page for page in found if not any(page.with_suffix(s).exists() for s in (".ipynb", ".md"))]
    if absent:
        raise BookError(f"_toc.yml names {absent[0].relative_to(root)}, but there is no such .ipynb or .md file")
    return [page.with_suffix(".ipynb") for page in found if page.with_suffix(".ipynb").exists()]


# Running ------------------------------------------------------------------------------------------


def execute(path, out, **parameters):
    """Run one notebook with papermill, in its own folder.

    Args:
        path: the notebook.
        out: where the executed notebook is written; of a failed run, up to the cell that failed.
        parameters: values for its ``parameters`` cell.

    Returns:
        dict with ``seconds`` and ``memory``, the largest that the kernel took, in megabytes.

    Raises:
        papermill.exceptions.PapermillExecutionError: if a cell fails.
    """
    path, begin = Path(path).resolve(), time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("MPLBACKEND", None)  # the kernel chooses: figures go into the notebook
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    mark, ended, peak = f"--Session.username={uuid.uuid4()}", threading.Event(), [0]
    threading.Thread(target=_watch, args=(mark, ended, peak), daemon=True).start()
    try:
        papermill.execute_notebook(
            str(path), str(out), parameters=parameters, cwd=str(path.parent), kernel_name="python3",
            progress_bar=False, extra_arguments=["--log-level=50", mark], coalesce_streams=True)
    finally:
        ended.set()
    return {"seconds": round(time.monotonic() - begin, 1), "memory": round(peak[0] / 1e6)}


def _watch(mark, ended, peak):
    """Note the largest memory of the kernel that was started with an argument, four times a second."""
    while not ended.wait(0.25):
        for process in psutil.Process().children():
            try:
                if mark in process.cmdline():
                    peak[0] = max(peak[0], process.memory_info().rss)
            except psutil.Error:  # it ended while we looked
                continue


def run(path, root=ROOT):
    """Run a chapter with its defaults, unless this machine holds a run of the same fingerprint.

    Args:
        path: the chapter.
        root: folder that holds ``_toc.yml``; runs are kept in ``_build/runs`` there.

    Returns:
        tuple (chapter with outputs, record of the run, whether it was reused).
    """
    kept = Path(root) / "_build" / "runs" / Path(path).relative_to(root)
    record = kept.with_suffix(".json")
    with PARSING:
        found = parts(path)
    mark = hash_of(*found.values())
    # a graphics card or another Python may give other digits
    wanted = {"fingerprint": mark, "python": platform.python_version(), "device": _device()}
    before = json.loads(record.read_text()) if kept.exists() and record.exists() else {}
    reused = before.items() >= wanted.items() and "memory" in before
    if not reused:
        record.unlink(missing_ok=True)
        took = execute(path, kept)
        ran = clean(nbformat.read(kept, 4))
        ran.metadata["mpcl"] = {"fingerprint": mark, "outputs": hash_of_outputs(ran), "parts": found}
        write(kept, text_of(ran))
        ended = time.strftime("%Y-%m-%d %H:%M")
        write(record, json.dumps({**wanted, **took, "ended": ended, "torch": version("torch").split("+")[0]}))
    nb, ran = nbformat.read(path, 4), nbformat.read(kept, 4)
    told = {**json.loads(record.read_text()), "differ": differences(nb, ran)}
    return with_outputs(nb, ran), told, reused


def differences(committed, ran):
    """How many cells print something else in a run than in the committed notebook; pictures are not compared.

    Cells with the tag ``provenance`` name the machine, and do not count.

    Args:
        committed: a chapter.
        ran: a run of the same code cells.

    Returns:
        int.
    """
    def said(cell):
        return [output.get("text", {k: v for k, v in output.get("data", {}).items() if k.startswith("text/")})
                for output in cell.outputs]

    pairs = zip(*([c for c in nb.cells if c.cell_type == "code"] for nb in (committed, ran)), strict=True)
    return sum(said(a) != said(b) for a, b in pairs if "provenance" not in a.metadata.get("tags", []))


def _device():
    """``cuda`` where a graphics card may be used, else ``cpu``; without the seconds that importing torch takes."""
    return "cuda" if shutil.which("nvidia-smi") and os.environ.get("CUDA_VISIBLE_DEVICES") != "" else "cpu"


def write(path, text):
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def run_all(paths, jobs, root=ROOT):
    """Run chapters side by side, with a line of progress for each.

    Args:
        paths: chapters.
        jobs: how many at a time.
        root: folder that holds ``_toc.yml``.

    Returns:
        tuple (dict of notebooks by path, dict of records of their runs by path).

    Raises:
        BookError: when all have ended, if any failed.
    """
    done, records, failed, again = {}, {}, [], []
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(run, path, root): path for path in paths}
        for number, future in enumerate(as_completed(waiting), 1):
            path = waiting[future]
            line = f"[{number}/{len(waiting)}] {path.relative_to(root)}"
            try:
                done[path], records[path], reused = future.result()
                again += [path] * (not reused)
                how = "reused the run of {ended}" if reused else "{seconds:.1f} s, {memory} MB"
                how = how.format(**records[path])
                print(f"{line}  {how}", flush=True)
            except Exception as error:  # a chapter may fail in any way; the others go on
                failed.append(path)
                print(f"{line}  FAILED {essence(error)}", flush=True)
    if failed:
        kept = Path("_build", "runs", failed[0].relative_to(root))
        raise BookError(f"{len(failed)} of {len(paths)} chapters failed, so nothing is rendered; "
                        f"each run up to its failure is kept, such as {kept}")
    if paths:
        print(f"Ran {len(again)} of {len(paths)} chapters, reused the runs of {len(paths) - len(again)}.")
    return done, records


def essence(error):
    """What a person needs of a failed run: the cell, the error, and the last place in the code.

    Args:
        error: what :func:`execute` raised.

    Returns:
        str.
    """
    if not isinstance(error, papermill.exceptions.PapermillExecutionError):
        return f"{type(error).__name__}: {error}"
    trace = COLOUR.sub("", "\n".join(error.traceback or [])).replace(f"{ROOT}{os.sep}", "")
    places = re.findall(r"(?m)^(?:File |Cell )?(\S+:\d+|In\[\d+\], line \d+)(?:, in (\w+))?", trace)
    ours = [place for place in places if "mpcl" in place[0] or place[0].startswith("In[")] or places[-1:]
    where = "".join(f"\n      at {place}{f', in {name}' if name else ''}" for place, name in ours)
    said = "\n      ".join(str(error.evalue).strip().splitlines()[:12])
    return f"at cell {error.cell_index + 1}, In [{error.exec_count}]: {error.ename}: {said}{where}"


# Rendering ----------------------------------------------------------------------------------------


def stage(to, notebooks, root=ROOT, records=()):
    """Lay down what the book is rendered from: its settings, pages, the package that pages quote, and data.

    Args:
        to: folder, replaced.
        notebooks: dict of notebooks by path under ``root``.
        root: folder that holds ``_toc.yml``.
        records: dict of records of runs by path, for the page that tells of them; by default it tells of none.
    """
    shutil.rmtree(to, ignore_errors=True)
    for folder in ("book", "mpcl", "data"):
        shutil.copytree(Path(root) / folder, to / folder, ignore=LEFT_OUT)
    for name in ("_config.yml", "_toc.yml", "requirements.lock"):
        shutil.copy2(Path(root) / name, to / name)
    for path, nb in notebooks.items():
        page = Path(path).relative_to(root)
        nb, tables = offer_numbers(nb, page)
        for name, table in tables.items():
            write(to / "book" / NUMBERS / name, table)
        write(to / page, text_of(mark_slides(nb)))
    if (to / STATUS).exists():
        rows = "\n".join(_row(path.stem, nb, dict(records).get(path)) for path, nb in notebooks.items())
        write(to / STATUS, (to / STATUS).read_text(encoding="utf-8").replace("<!-- runs -->", rows))


def offer_numbers(nb, page):
    """A chapter whose captions link to the numbers that each figure shows, and these.

    Args:
        nb: the chapter, see :func:`mpcl.figures.numbers`.
        page: path of the chapter in the book.

    Returns:
        tuple of the chapter and a dict from file name to the text of a CSV table.
    """
    nb, tables, up = copy.deepcopy(nb), {}, "../" * (len(page.parts) - 1)
    for cell in nb.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        for output in cell.get("outputs", []):
            table = output.get("data", {}).pop("text/csv", "")
            if table and "caption" in figure:
                name = f"{page.stem}-{figure['name']}.csv"
                figure["caption"] += f' <a class="numbers" href="{up}{NUMBERS}/{name}" download>The numbers as CSV</a>'
                tables[name] = table
    return nb, tables


def mark_slides(nb):
    """A chapter whose text cells with the tag ``slide`` stand between comments, which :mod:`mpcl.editions` reads."""
    nb = copy.deepcopy(nb)
    for cell in nb.cells:
        if cell.cell_type == "markdown" and "slide" in cell.metadata.get("tags", []):
            cell.source = f"<!-- slide -->\n\n{cell.source}\n\n<!-- end of slide -->"
    return nb


def _row(name, nb, record):
    """A line of the table of runs."""
    mark = nb.metadata.get("mpcl", {}).get("fingerprint", "none")
    if not record:
        return f"| {{doc}}`{name}` | | | | | `{mark}` | committed outputs, not run here |"
    differ = f"{record['differ']} outputs are not the committed ones"
    result = f"passed {record['ended']}, {differ if record['differ'] else 'same as committed'}"
    return (f"| {{doc}}`{name}` | {record['seconds']:.0f} s | {record['memory']} MB | {record['device']} "
            f"| Python {record['python']}, torch {record['torch']} | `{mark}` | {result} |")


def render(staged, html, root=ROOT):
    """Render a staged book; a warning is an error.

    Args:
        staged: folder that :func:`stage` laid down.
        html: folder of the finished pages, replaced only if all went well.
        root: folder whose package the reference pages describe.

    Raises:
        BookError: with the warnings.
    """
    work = Path(html).parent / "render"
    shutil.rmtree(work, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(staged),
               "--path-output", str(work), "--warningiserror", "--keep-going", "--all"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    log = COLOUR.sub("", done.stdout + done.stderr)
    write(work.with_suffix(".log"), log)
    if done.returncode:
        found = re.findall(r"(?m)^.*(?:\b(?:WARNING|ERROR|CRITICAL)\b|Error:).*(?:(?<=raised:)\n.*)?$", log)
        told = [re.sub(r"\.ipynb:(\d+)(\d{4}):", r".ipynb, cell \1:", line.replace(f"{staged}{os.sep}", ""))
                for line in found]
        raise BookError("\n".join(["the book has warnings or errors:", *(told or log.splitlines()[-20:])]))
    shutil.rmtree(html, ignore_errors=True)
    (work / "_build" / "html").rename(html)
    shutil.rmtree(work)


def build(jobs=2, root=ROOT):
    """Run the chapters that are stale on this machine and render the book, if anything changed.

    Args:
        jobs: notebooks at a time.
        root: folder that holds ``_toc.yml``.
    """
    place, html = Path(root) / "_build", Path(root) / "_build" / "html"
    done, records = run_all(chapters(root), jobs, root)
    stage(place / "stage", {path: done[path] for path in chapters(root)}, root, records)
    files = sorted(p for p in (place / "stage").rglob("*") if p.is_file())
    read = [x for p in files for x in (str(p.relative_to(place)), p.read_bytes())]
    digest = hash_of(os.environ.get("BOOK_REPOSITORY", ""), *read)
    mark = place / "rendered"
    if (html / "index.html").exists() and mark.exists() and mark.read_text() == digest:
        print("No page changed since the book was rendered.")
    else:
        print("Rendering ...", flush=True)
        begin = time.monotonic()
        mark.unlink(missing_ok=True)
        render(place / "stage", html, root)
        write(mark, digest)
        print(f"Rendered {len(pages(root))} pages in {time.monotonic() - begin:.1f} s.")
    print(f"The book: {html / 'index.html'}")


def refresh(jobs=2, everything=False, root=ROOT):
    """Renew the committed outputs of the chapters that are stale; the others stay byte for byte.

    Args:
        jobs: notebooks at a time.
        everything: run all chapters, stale or not.
        root: folder that holds ``_toc.yml``.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # committed outputs are those that every machine can repeat
    every = chapters(root)
    todo = [path for path in every if everything or stale(path)]
    if everything:
        shutil.rmtree(Path(root) / "_build" / "runs", ignore_errors=True)
    fresh, _ = run_all(todo, jobs, root)
    for path in every:
        text = text_of(fresh.get(path) or clean(nbformat.read(path, 4)))
        changed = text != path.read_text(encoding="utf-8")
        if changed:
            write(path, text)
        print(f"{path.relative_to(root)}: {'renewed' if changed else 'unchanged'}")


def main(arguments=None):
    """The command line: ``build`` or ``refresh``; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mpcl.notebooks", description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["build", "refresh"])
    parser.add_argument("-j", "--jobs", type=int, default=2, help="notebooks at a time (default 2)")
    parser.add_argument("--all", action="store_true", help="refresh: run every chapter, stale or not")
    chosen = parser.parse_args(arguments)
    try:
        build(chosen.jobs) if chosen.what == "build" else refresh(chosen.jobs, chosen.all)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
