import subprocess
import sys

import torch

from mpcl.provenance import code_fingerprint, model_code, versions

SOURCE = '''
def total(values):
    """Add up."""
    return sum(values)  # all of them
'''


def test_only_what_runs_counts(tmp_path):
    def mark(source):
        path = tmp_path / "module.py"
        path.write_text(source)
        return code_fingerprint([path])

    assert mark(SOURCE) == mark(SOURCE.replace("Add up.", "Say it otherwise.").replace("  # all of them", ""))
    assert mark(SOURCE) != mark(SOURCE.replace("sum", "max"))


def test_model_code_and_versions_are_there():
    assert len(model_code()) == 16 and model_code() == model_code()
    assert versions()["torch"] == torch.__version__.split("+")[0]


def test_a_page_names_the_code_that_it_loads_and_no_other():
    def mark(more):
        code = f"import mpcl.splits, sys; from mpcl import provenance{more}; print(provenance.loaded_code())"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert len(mark("").strip()) == 16 and mark("") == mark("; import torch") != mark(", freshness, exercises")
