"""Every exercise has a check that its stub fails and its solution passes.

The chapters run both; nbval holds the committed outputs to what really runs.
"""

from pathlib import Path

import nbformat
import pytest

from mpcl.exercises import verdict

CHAPTERS = sorted((Path(__file__).parents[1] / "book").glob("*.ipynb"))


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_stubs_fail_and_solutions_pass(path):
    notebook = nbformat.read(path, 4)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    order = [tag for tag in tags if tag in ("exercise", "check", "solution")]
    assert len(order) >= 9 and order == ["exercise", "check", "solution"] * (len(order) // 3)
    cells = [tagged(notebook, tag) for tag in ("exercise", "check", "solution")]
    for stub, check, solution in zip(*cells, strict=True):
        assert "raise NotImplementedError" in stub.source and "assert" in check.source
        said = ["".join(output.get("text", "") for output in cell.outputs) for cell in (check, solution)]
        assert said[0].startswith("Not yet:") and said[1] == "Passed.\n", stub.source


def test_a_verdict_is_a_sentence_whatever_the_answer_raises(capsys):
    def check(answer):
        if answer() != 1:
            raise AssertionError("it should be one")

    for answer in (lambda: 2, lambda: 1 / 0, lambda: 1, None):
        verdict(check, answer)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Not yet: it should be one" and said[1] == "Not yet: division by zero"
    assert said[2] == "Passed." and said[3].startswith("Not yet: 'NoneType'")
