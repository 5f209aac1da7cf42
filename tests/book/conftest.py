"""What the tests of the book share: the cells of a chapter, run in this process."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from nbformat import NotebookNode
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

Play = Callable[..., dict[str, Any]]


def run_cell(source: str, title: str, names: dict[str, Any]) -> None:
    """Run a cell; what its last line gives is printed, a table in full."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, title, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), title, "eval"), names)
        if value is not None:
            print(value.to_string() if hasattr(value, "to_string") else repr(value))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run code cells of a notebook here, without a kernel, with papermill's parameters.

    The namespace holds ``In``, the history, as IPython's does; figures are not shown.
    """
    matplotlib.use("Agg")
    monkeypatch.setattr(
        "matplotlib.pyplot.show", lambda: matplotlib.pyplot.close("all")
    )

    def run(
        path: Path,
        chosen: Callable[[NotebookNode], bool] = lambda cell: True,
        namespace: dict[str, Any] | None = None,
        **parameters: object,
    ) -> dict[str, Any]:
        notebook = load_notebook_node(str(path))
        if parameters:
            notebook = parameterize_notebook(notebook, parameters)
        names = {} if namespace is None else namespace
        names |= {"__name__": "__main__", "In": [""]}
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code" and chosen(cell):
                names["In"].append(cell.source)
                run_cell(cell.source, f"{path.name}, cell {number}", names)
        return names

    return run
