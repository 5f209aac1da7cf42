"""Answers are found by the names of their functions, whatever was handed in."""

import json
import os
import random
import zipfile

import nbformat
import pytest

from mpcl.__main__ import main
from mpcl.errors import ParameterError
from mpcl.teaching import collect, lab

ANSWER = "def largest_share(emotions, floor=1, ceiling=5):\n    return ceiling"
KEY = "01-largest"


def taken(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / name.replace("_dot_", ".")).write_text(text, encoding="utf-8")
    return {one.student: one for one in collect.collect(tmp_path, "01")}


def notebook(*sources, **changes):
    cells = [{"cell_type": "code", "source": source} for source in sources]
    return json.dumps({"cells": cells, **changes})


@pytest.mark.parametrize(
    ("file", "student"),
    [
        ("anna.py", "anna"),
        ("anna_01.py", "anna"),
        ("anna_01_student.ipynb", "anna"),
        ("Anna Lab 01.ipynb", "Anna"),
        ("Bo Li_4711_assignsubmission_file/01_student.ipynb", "Bo_Li"),
        ("bo/any name.zip", "bo"),
        ("../x.py", "nameless"),
    ],
)
def test_students_by_folder_or_file(file, student):
    assert collect.student_of(collect.Path(file), [], "01") == student


def test_a_cell_says_who_it_is_and_its_name_stays_in_the_folder(tmp_path):
    who = 'STUDENT = "../../Åsa Öst"  # me'
    got = taken(tmp_path, a_dot_ipynb=notebook(who, ANSWER))
    assert list(got) == ["Åsa_Öst"] and got["Åsa_Öst"].answers[KEY].source == ANSWER


def test_an_untouched_script_beside_an_answered_notebook_does_no_harm(tmp_path):
    lab.write("01", tmp_path / "bo")
    file = tmp_path / "bo" / "mine.ipynb"
    file.write_text(notebook(ANSWER), encoding="utf-8")
    os.utime(file, (0, 0))  # older than the stubs
    got = taken(tmp_path)["bo"]
    assert got.answers[KEY].source == ANSWER and not got.notes
    assert got.answers["01-jensen"].missing == "not answered"
    assert len(got.files) == 3


def test_the_last_of_several_answers_counts_and_it_is_said(tmp_path):
    other = ANSWER.replace("return ceiling", "return 1 / emotions")
    got = taken(tmp_path, bo_dot_ipynb=notebook(other, "# a cell", ANSWER))["bo"]
    assert got.answers[KEY].source == ANSWER
    assert got.notes == ["`largest_share` is there 2 times: the last one counts"]


def test_a_syntax_error_spoils_its_function_alone(tmp_path):
    broken = "def jensen_shannon(true, predicted:\n    return 0\n"
    got = taken(tmp_path, bo_dot_py=f"import os\n{broken}\n{ANSWER}\n")["bo"]
    assert got.answers[KEY].source == ANSWER
    assert "it is no Python yet" in got.answers["01-jensen"].missing
    assert "line 1" in got.answers["01-jensen"].missing


def test_a_renamed_function_and_a_deleted_one(tmp_path):
    got = taken(tmp_path, bo_dot_py=ANSWER.replace("largest_share", "largest"))["bo"]
    assert got.answers[KEY].missing.startswith("there is no function `largest_share`")


def test_what_an_answer_needs_comes_with_it_and_nothing_that_the_chapter_has(tmp_path):
    answer = "def largest_share(n, floor=LOW, ceiling=5):\n    return helped(n) * np.e"
    rest = [
        "%matplotlib inline\nimport math\nimport numpy as np",
        "LOW = 1\nunused = open('x')",
        "def helped(n):\n    return math.pi + deeper(n)",
        answer,
        "def deeper(n):\n    return n",
        "true = 'overwritten'",
    ]
    got = taken(tmp_path, bo_dot_ipynb=notebook(*rest))["bo"].answers[KEY]
    assert got.source == answer
    for name in ("import math", "LOW = 1", "def helped", "def deeper"):
        assert name in got.support
    for name in ("numpy", "unused", "overwritten", "matplotlib"):
        assert name not in got.support


def test_notebooks_of_other_kinds(tmp_path):
    got = taken(
        tmp_path,
        list_dot_ipynb="[]",
        number_dot_ipynb="7",
        text_dot_ipynb="<html>Sign in</html>",
        none_dot_ipynb="",
        deep_dot_ipynb="[" * 100_000,
        null_dot_py="x = 1\0",
        windows_dot_py="\ufeff" + ANSWER.replace("\n", "\r\n"),
    )
    assert got["windows"].answers[KEY].source == ANSWER
    for name in ("list", "number", "text", "none", "deep", "null"):
        assert got[name].notes and got[name].answers[KEY].missing, name


def test_archives_are_read_and_never_unpacked(tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with zipfile.ZipFile(inbox / "bo.zip", "w") as archive:
        archive.writestr("deep/folder/01.py", ANSWER)
        archive.writestr("__MACOSX/._01.py", "\0")
        for name in ("../up.py", "/root.py", "C:/x.py", "..\\up.py"):
            archive.writestr(name, "raise SystemExit")
    (inbox / "broken.zip").write_bytes(b"PK\3\4 no")
    with zipfile.ZipFile(inbox / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.py", b"#" * (collect.LARGEST + 1))
    (inbox / "link.py").symlink_to("/etc/hostname")
    (inbox / "notes.txt").write_text("not asked for")
    got = {one.student: one for one in collect.collect(inbox, "01")}
    assert got["bo"].answers[KEY].source == ANSWER
    assert sum("was left out" in note for note in got["bo"].notes) == 4
    assert "cannot be read" in got["broken"].notes[0]
    assert "unpacks to more than 20 MB" in got["bomb"].notes[0]
    assert "a link" in got["link"].notes[0]
    assert sorted(path.name for path in tmp_path.rglob("*.py")) == ["link.py"]


def test_an_archive_within_an_archive_is_said_and_a_copy_by_jupyter_is_no_answer(
    tmp_path,
):
    draft = ANSWER.replace("return ceiling", "return 1")
    with zipfile.ZipFile(tmp_path / "bo.zip", "w") as archive:
        archive.writestr("lab/01.ipynb", notebook(ANSWER))
        place = "lab/.ipynb_checkpoints/01-checkpoint.ipynb"
        archive.writestr(place, notebook(draft))
        archive.writestr("inner.zip", b"PK")
        older = zipfile.ZipInfo("z_draft.py", (2001, 1, 1, 0, 0, 0))
        archive.writestr(older, draft)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    got = taken(tmp_path)
    assert got["bo"].answers[KEY].source == ANSWER
    assert "inner.zip was left out of bo.zip: unpack it yourself" in got["bo"].notes
    assert got["empty"].notes == ["empty.zip holds no code"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_encoding_of_an_editor_is_read(tmp_path, encoding):
    who = 'STUDENT = "Jürgen Größe"'
    answer = ANSWER.replace("    return", '    "Größe"\n    return')
    script = f"{who}\n{answer}\n".encode(encoding)
    (tmp_path / "Übung 1 (Größe).py").write_bytes(script)
    got = taken(tmp_path)["Jürgen_Größe"]
    assert got.answers[KEY].source == answer and not got.notes


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be made there")
def test_half_characters_can_be_printed_and_written(tmp_path):
    with open(os.fsencode(tmp_path) + b"/M\xfcller.ipynb", "w") as file:
        file.write(notebook("x = 1 \ud800 y", ANSWER))
    [got] = collect.collect(tmp_path, "01")
    assert got.answers[KEY].source == ANSWER
    for text in (got.student, *got.files, *got.notes):
        text.encode("utf-8")
    assert "M?ller.ipynb" in got.files and "x = 1 ? y" in got.notes[0]


def test_two_people_of_one_name_stay_two(tmp_path):
    for number, answer in (("11", ANSWER), ("12", "import os")):
        folder = tmp_path / f"Bo Li_{number}_assignsubmission_file"
        folder.mkdir()
        (folder / "01.py").write_text(answer)
        (folder / "more.py").write_text("import sys")
    got = taken(tmp_path)
    assert sorted(got) == ["Bo_Li", "Bo_Li_12"]
    assert got["Bo_Li"].answers[KEY].source == ANSWER
    assert [len(each.files) for each in got.values()] == [2, 2]


def test_what_ipython_alone_understands_spoils_nothing(tmp_path):
    lines = f"%%time\n{ANSWER}\nlargest_share?\n?len\nfiles = !ls\n%timeit 1"
    text = 'def wrote():\n    return """\n% one\nWhy?\n"""'
    got = taken(tmp_path, bo_dot_ipynb=notebook(lines, text))["bo"]
    assert got.answers[KEY].source == ANSWER and not got.notes
    assert text in [part.source for part in got.parts], "a text stays as it is"


def test_a_cell_without_code_or_kind_spoils_nothing(tmp_path):
    odd = json.loads(notebook(None, ANSWER))
    odd["cells"].append({"source": "x"})
    got = taken(tmp_path, bo_dot_ipynb=json.dumps(odd))["bo"]
    assert got.answers[KEY].source == ANSWER and not got.notes


def test_nobody_is_lost_silently(tmp_path, capsys):
    (tmp_path / "bo.py").write_text(ANSWER)
    (tmp_path / "anna.ipynb.txt").write_text(notebook(ANSWER))
    assert main(["collect", str(tmp_path), "--lab", "01"]) == 0
    printed = capsys.readouterr().out
    assert "anna.ipynb.txt was left out: it is no .ipynb, .py or .zip" in printed


def test_whatever_is_damaged_is_a_note(tmp_path):
    """As a broken download, or a disk that is full."""
    generator = random.Random(0)
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", "\n".join(f"x{n} = {n * n}" for n in range(200)))
        archive.writestr("b.ipynb", notebook(ANSWER))
    whole = (tmp_path / "whole.zip").read_bytes()
    for number in range(60):
        data = bytearray(whole)
        for place in generator.choices(range(len(data)), k=3):
            data[place] = generator.randrange(256)
        (tmp_path / f"s{number:02d}.zip").write_bytes(data)
    got = taken(tmp_path)
    assert len(got) == 61 and got["whole"].answers[KEY].source == ANSWER
    spoilt = [each for each in got.values() if each.answers[KEY].missing]
    assert len(spoilt) > 30 and all(each.notes for each in spoilt)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_inbox(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="holds no .ipynb|is no folder"):
        collect.collect(tmp_path / name, "01")


def test_no_chapter(tmp_path):
    with pytest.raises(ParameterError, match="no chapter '99'"):
        collect.collect(tmp_path, "99")


def test_the_command_prints_a_table_and_writes_for_nbgrader(tmp_path, capsys):
    (tmp_path / "inbox").mkdir()
    taken_from = tmp_path / "inbox" / "bo.py"
    taken_from.write_text(ANSWER + "\n" + ANSWER.replace("ceiling\n", "1\n"))
    course = tmp_path / "course"
    inbox = str(tmp_path / "inbox")
    words = ["collect", inbox, "--lab", "01", "--nbgrader", str(course)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "bo: 1 of 3 answered, in bo.py" in printed
    assert "01-jensen: there is no function `jensen_shannon`" in printed
    assert "written: 2 notebooks" in printed
    source, submitted = (
        nbformat.read(course / place / "01" / "01.ipynb", 4)
        for place in ("source", "submitted/bo")
    )
    for made in (source, submitted):
        nbformat.validate(made)
        named = [c.metadata.nbgrader for c in made.cells if "nbgrader" in c.metadata]
        assert len({facts.grade_id for facts in named}) == len(named) == 6
        assert sum(facts.get("points", 0) for facts in named) == 6
    code = [cell.source for cell in source.cells if "nbgrader" in cell.metadata]
    assert all("### BEGIN SOLUTION" in cell for cell in code[::2])
    assert all("strict=True)" in cell for cell in code[1::2])
    for cell in code:
        compile(cell, "cell", "exec")
    mine = [c.source for c in submitted.cells if ANSWER in c.source]
    assert len(mine) == 1 and "### BEGIN" not in "".join(
        c.source for c in submitted.cells
    )


def test_a_bad_inbox_is_one_line(tmp_path, capsys):
    assert main(["similar", str(tmp_path / "no"), "--lab", "01"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
