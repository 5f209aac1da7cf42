"""The page that a grid leaves: what is done, what failed, and where to look."""

import itertools
import json
from html import escape
from pathlib import Path
from urllib.parse import quote

from mpcl.files import write_text
from mpcl.laboratory import task
from mpcl.laboratory.grid import Task

STATES = ("done", "failed", "not run")
STYLE = """body {font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 60rem}
table {border-collapse: collapse; width: 100%} td, th {padding: .3rem .6rem}
th {text-align: left} tr + tr {border-top: 1px solid #ccc}
.failed {color: #a00; font-weight: bold} pre {overflow-x: auto}"""


def duration(seconds: float) -> str:
    """Such as ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def write(tasks: list[Task], failures: dict[str, str], out: Path) -> Path:
    """Write ``report.html`` into the folder of results, what failed first."""
    rows: dict[str, list[str]] = {"failed": [], "not run": [], "done": []}
    for each in tasks:
        facts = task.record(out, each)
        if facts is not None:
            took = duration(facts["seconds"])
            rows["done"].append(_row(each, "done", took, out))
        elif each.folder in failures:
            reason = failures[each.folder]
            rows["failed"].append(
                _row(each, "failed", "", out) + _why(reason, each, out)
            )
        else:
            rows["not run"].append(_row(each, "not run", "", out))
    title = ", ".join(f"{len(rows[state])} {state}" for state in STATES if rows[state])
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>
<body><h1>{title}</h1>
<p>{_links(out, "*-scores.nc")}</p>
<table><tr><th>run</th><th>state</th><th>time</th><th>files</th></tr>
{"".join(itertools.chain(*rows.values()))}
</table></body></html>
"""
    return write_text(page, out / "report.html")


def _row(each: Task, state: str, took: str, out: Path) -> str:
    links = "" if state == "not run" else _links(out, f"{each.folder}/*")
    return (
        f'<tr><td>{escape(each.name)}</td><td class="{state}">{state}</td>'
        f"<td>{took}</td><td>{links}</td></tr>\n"
    )


def _links(out: Path, pattern: str) -> str:
    """Links to files, by a pattern of their names."""
    return " ".join(
        f'<a href="{quote(path.relative_to(out).as_posix())}">{escape(path.name)}</a>'
        for path in sorted(out.glob(pattern))
    )


def _why(reason: str, each: Task, out: Path) -> str:
    """A row with what a run ended in, and of a notebook the cell."""
    cells = [failing_cell(path) for path in (out / each.folder).glob("*.ipynb")]
    text = "\n\n".join([reason, *cells]).strip()
    return f'<tr><td colspan="4"><pre>{escape(text)}</pre></td></tr>\n'


def failing_cell(notebook: Path) -> str:
    """The source of the cell of an executed notebook that ended in an error."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        kinds = [output["output_type"] for output in cell.get("outputs", ())]
        if "error" in kinds:
            return "".join(cell["source"])
    return ""
