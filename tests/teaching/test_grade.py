"""A class of eleven, the broken ones among them, is graded as it deserves."""

import csv
import html
import json
import os
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mpcl.errors import ParameterError
from mpcl.teaching import feedback, grade, lab, processes
from mpcl.teaching.chapter import exercises, read
from mpcl.teaching.collect import Answer, function_of, student_of
from mpcl.teaching.similar import similar

CHAPTER = "03"
FORKS = processes.Limits().method == "fork"
LIMITS = processes.Limits(seconds=3.0, megabytes=400, jobs=2)
SHARED, PERSON, SPREADS = "03-shared", "03-person", "03-spreads"
LOOP = "def two_spreads(scores):\n    while True:\n        pass"
DEAF_LOOP = """\
def two_spreads(scores):
    while True:
        try:
            sum(range(1000))
        except BaseException:
            print("nobody stops me" * 1000)"""
HOG = "def shared_trials(dataset, fold):\n    return len(bytearray(10**10))"
EXIT = "def person_mean(train, test):\n    import os\n    os._exit(0)"
TABLE = """\
def two_spreads(scores):
    return {20: (0.2437, 0.7793), 2000: (0, 0.08)}[len(scores)]"""
RENAMED = """\
def shared_trials(data, the_fold):
    "My words."
    before, behind = (set(half.trial.values) for half in parts_of(data, the_fold))
    return len(before & behind)


def parts_of(data, the_fold):
    return splits.part(data, the_fold)"""


def tasks(chapter=CHAPTER):
    return exercises(read(lab.chapter_path(chapter)))


def right(chapter=CHAPTER):
    """The solutions by exercise, without their verdicts."""
    return {t.id: t.solution.split("\n\n\nverdict(")[0] for t in tasks(chapter)}


def cells(answers, chapter=CHAPTER):
    """A student's notebook with answers in place of stubs, as JSON to be spoilt."""
    path = lab.chapter_path(chapter)
    notebook = json.loads(lab.notebook_text(lab.student_cells(path)))
    for cell in notebook["cells"]:
        key = cell["metadata"].get("mpcl", {}).get("id")
        if key in answers:
            cell["source"] = answers[key].splitlines(keepends=True)
    return notebook


def hand_in(folder, name, notebook):
    (folder / name).write_text(json.dumps(notebook), encoding="utf-8")


def class_of_eleven(inbox):
    """Everything that was seen to go wrong elsewhere, and what it deserves."""
    good = right()
    hand_in(inbox, "good.ipynb", cells(good))
    hand_in(inbox, "stub.ipynb", cells({}))
    hand_in(inbox, "table.ipynb", cells({**good, SPREADS: TABLE}))
    deleted = cells(good)
    deleted["cells"] = [
        c for c in deleted["cells"] if "check" not in c["metadata"].get("tags", [])
    ]
    hand_in(inbox, "deleted.ipynb", deleted)
    copied = cells(good)
    copied["cells"] += [c for c in copied["cells"] if "03-" in str(c["metadata"])]
    hand_in(inbox, "copied.ipynb", copied)
    tampered = cells({**good, SHARED: "def shared_trials(d, f):\n    return 1"})
    for cell in tampered["cells"]:
        if "check" in cell["metadata"].get("tags", []):
            cell["source"] = ['def expect(*a): pass\nprint("Passed.")']
    hand_in(inbox, "tampered.ipynb", tampered)
    hand_in(inbox, "loop.ipynb", cells({**good, SPREADS: LOOP}))
    bare = cells({**good, SHARED: RENAMED})
    for cell in bare["cells"]:
        cell["metadata"], cell["id"] = {}, "x"
    hand_in(inbox, "bare.ipynb", bare)
    typed = f"# no cells\n{good[SHARED]}\n\n{good[PERSON]}\n\ndef two_spreads(scores:\n"
    (inbox / "syntax.py").write_text(typed)
    with zipfile.ZipFile(inbox / "slip.zip", "w") as archive:
        archive.writestr("../../escaped.py", good[SHARED])
        archive.writestr("empty.ipynb", "")
    hand_in(inbox, "hog.ipynb", cells({SHARED: HOG, PERSON: EXIT, SPREADS: DEAF_LOOP}))
    return {
        "good": [2, 2, 2],
        "stub": [0, 0, 0],
        "table": [2, 2, 0],
        "deleted": [2, 2, 2],
        "copied": [2, 2, 2],
        "tampered": [0.25, 2, 2],
        "loop": [2, 2, 0],
        "bare": [2, 2, 2],
        "syntax": [2, 2, 0],
        "slip": [0, 0, 0],
        "hog": [0, 0, 0],
    }


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    inbox = folder / "inbox"
    inbox.mkdir()
    deserved = class_of_eleven(inbox)
    before = os.times()
    grades = grade.grade(inbox, CHAPTER, "a word", LIMITS)
    seconds = sum(os.times()[:4]) - sum(before[:4])  # of computing, however crowded
    grade.write(grades, folder)
    feedback.write(folder)
    assert not list(folder.parent.rglob("escaped.py"))
    return folder, deserved, grades, seconds


def of(grades, student):
    return next(s for s in grades["students"] if s["student"] == student)


@pytest.mark.skipif(not FORKS, reason="limits on memory are Linux's")
def test_eleven_submissions_get_what_they_deserve(graded, capsys):
    _, deserved, grades, seconds = graded
    got = {
        s["student"]: [g["points"] for g in s["grades"].values()]
        for s in grades["students"]
    }
    with capsys.disabled():
        print(f"\na class of eleven, chapter {CHAPTER}: {seconds:.0f} s computing")
        for student, points in got.items():
            hints = [g["hint"] for g in of(grades, student)["grades"].values()]
            print(f"{student:10} {points} {[h[:60] for h in hints if h]}")
    assert got.keys() == deserved.keys()
    for student, points in deserved.items():
        assert got[student] == pytest.approx(points, abs=0.6), student
        assert [p == 2 for p in got[student]] == [p == 2 for p in points], student
    assert seconds < 240


def test_each_is_told_why(graded):
    _, _, grades, _ = graded

    def hint(student, key):
        return of(grades, student)["grades"][key]["hint"]

    assert hint("stub", SHARED) == "not answered"
    assert "loop never end" in hint("loop", SPREADS)
    assert "loop never end" in hint("hog", SPREADS)
    assert "MemoryError" in hint("hog", SHARED)
    assert hint("hog", PERSON) == processes.DIED
    assert "no Python yet" in hint("syntax", SPREADS)
    assert "no function `shared_trials`" in hint("slip", SHARED)
    assert not hint("copied", SHARED)
    notes = " ".join(of(grades, "slip")["notes"])
    assert "escaped.py was left out" in notes and "empty.ipynb cannot be read" in notes


def two_spreads(body):
    """A submission of one answer, whose first line is no stub's."""
    lines = "\n".join(f"    {line}" for line in ["count = len(scores)", *body])
    return f"def two_spreads(scores):\n{lines}\n"


SLEEP = "import time; time.sleep(600)  # left behind"
ODD = {  # by file: what is handed in, and what its author is told; "" is all points
    "exit.py": (two_spreads(["exit()"]), "stops with SystemExit"),
    "exit while it loads.py": (
        f"import sys\nNOW = sys.exit(3)\n{two_spreads(['return NOW'])}",
        "its cell stops with SystemExit: 3",
    ),
    "no arguments.py": (
        "def two_spreads():\n    return (0, 1), (0, 1)",
        "cannot call your function: TypeError: two_spreads.. takes 0 positional",
    ),
    "no package.py": (
        f"import not_there\n{two_spreads(['return not_there.spread(scores)'])}",
        "its cell stops with ModuleNotFoundError: No module named 'not_there'",
    ),
    "files.py": (
        two_spreads(["open('left.txt', 'w').write('x')", "return 1"]),
        "your function returned int",
    ),
    "half.py": (two_spreads(["raise ValueError('\\ud800!')"]), r"ValueError: \?!"),
    "sleeper.py": (two_spreads(["import time", "time.sleep(600)"]), "too long"),
    "daemon.py": (
        two_spreads(
            [
                "import subprocess, sys",
                f"words = sys.executable, '-c', {SLEEP!r}",
                "subprocess.Popen(words, start_new_session=True)",
                "return 1",
            ]
        ),
        "your function returned int",
    ),
    "bomb.py": (
        two_spreads(
            [
                "import os",
                "for _ in range(4):",
                "    os.fork()",
                "    os.setsid() if os.getpid() != os.getsid(0) else 0",
                "while True:",
                "    pass",
            ]
        ),
        "too long|ended before",
    ),
    "redefined.py": (
        "def expect(*_): pass\n"
        "def verdict(*_): print('Passed.')\n"
        "def check_spreads(*_): pass\n"
        f"{two_spreads(['global expect', 'expect = print', 'return (0, 1), (0, 1)'])}",
        ".",
    ),
    "Jürgen Müller-Lüdenscheidt (Übung 3).py": (
        "# flood, and right\n"
        + right()[SPREADS].replace(
            '."""\n', '."""\n    for _ in range(99):\n        print("x" * 10**5)\n'
        ),
        "",
    ),
}


@pytest.mark.skipif(not FORKS, reason="strays are found on Linux")
def test_no_odd_submission_stops_the_class_or_outlives_it(tmp_path, monkeypatch):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    monkeypatch.chdir(tmp_path)
    for name, (source, _) in ODD.items():
        (inbox / name).write_text(source, encoding="utf-8")
    (inbox / "no json.ipynb").write_text("{'cells': [")
    before = processes.children()
    grades = grade.grade(inbox, CHAPTER, "", LIMITS)
    assert processes.children() == before
    left = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [words for words in left if SLEEP.encode() in words]
    grade.write(grades, tmp_path / "graded")
    pages = feedback.write(tmp_path / "graded")
    assert len(grades["students"]) == len(ODD) + 1 == len(pages)
    assert sorted(os.listdir(tmp_path)) == ["graded", "inbox"]
    got = {s["student"]: s["grades"][SPREADS] for s in grades["students"]}
    for name, (_, told) in ODD.items():
        each = got[student_of(Path(name), [], CHAPTER)]
        assert re.search(told, each["hint"]), (name, each)
        assert (each["points"] == grade.POINTS) == (not told), (name, each)


@pytest.mark.skipif(not FORKS, reason="an alarm is not for Windows")
def test_who_sleeps_is_woken():
    source = two_spreads(["import time", "time.sleep(600)"])
    states = {0: processes.state(CHAPTER, 0, "simulated")}
    data = ((0, "simulated"),) * 40  # the grader would wait for minutes
    job = processes.Job(CHAPTER, SPREADS, Answer(source), data)
    begin = time.monotonic()
    [(_, verdict)] = processes.run([job], states, replace(LIMITS, seconds=1.0))
    assert verdict.hint == processes.LATE and time.monotonic() - begin < 100


def test_a_table_of_the_pages_numbers_fails_on_other_data(tmp_path):
    """It passes on the page; nobody can write down a seed that is secret."""
    values = processes.state(CHAPTER, 0, "simulated")
    source = right()[SPREADS]
    answers = {}
    exec(source, values)

    def record(scores):
        answers[scores.tobytes()] = values["two_spreads"](scores)
        return answers[scores.tobytes()]

    processes.judge(values["check_spreads"], (record,))
    table = {key.hex(): tuple(map(float, pair)) for key, pair in answers.items()}
    cheat = f"def two_spreads(scores):\n    return {table}[scores.tobytes().hex()]"
    hand_in(tmp_path, "cheat.ipynb", cells({SPREADS: cheat}))
    grades = grade.grade(tmp_path, CHAPTER, "", LIMITS)
    got = of(grades, "cheat")["grades"][SPREADS]
    assert got["points"] == 0 and got["hint"].startswith("on other data")


def test_feedback_has_points_and_hints_and_no_code_of_a_check(graded):
    folder, deserved, _, _ = graded
    code = {
        line.strip()
        for task in tasks()
        for line in task.check.splitlines()
        if len(line.strip()) > 15 and not line.strip().startswith(('"', "hint ="))
    }
    for student in deserved:
        text = (folder / "feedback" / f"{student}.html").read_text("utf-8")
        assert "of 6 points" in text
        assert not [line for line in code if line in html.unescape(text)]
    page = (folder / "feedback" / "syntax.html").read_text()
    assert '<html lang="en">' in page and "<script" not in page


def test_the_gradebook_is_a_table_that_canvas_and_moodle_read(graded):
    folder, deserved, _, _ = graded
    with open(folder / "gradebook.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Student"] for row in rows] == sorted(deserved)
    assert set(grade.COLUMNS) < rows[0].keys()
    good = next(row for row in rows if row["Student"] == "good")
    assert float(good["Lab 03"]) == 6


def test_equal_answers_are_listed(graded):
    folder, _, _, _ = graded
    pairs = similar(grade.collect(folder / "inbox", CHAPTER))
    named = {(key, *students) for _, key, *students in pairs}
    assert (SPREADS, "copied", "good") in named
    assert not [pair for pair in named if "stub" in pair]
    assert pairs == sorted(pairs, reverse=True)


def test_nothing_is_written_where_a_chapter_cannot_be_graded(tmp_path, monkeypatch):
    hand_in(tmp_path, "a.ipynb", cells({}))
    wrong = [replace(t, solution=t.stub + "\n\n\nverdict(x)") for t in tasks()]
    monkeypatch.setattr(lab, "tasks", lambda name: wrong)
    with pytest.raises(ParameterError, match="cannot be graded: its solution says"):
        grade.grade(tmp_path, CHAPTER, "", LIMITS)


def test_a_spawned_process_makes_its_own_state():
    """As on Windows and macOS."""
    key, source = next(iter(right("01").items()))
    jobs = [processes.Job("01", key, Answer(source), ((0, "simulated"),))]
    [(seed, verdict)] = processes.run(jobs, {}, replace(LIMITS, method="spawn"))
    assert seed == 0 and verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.skipif(not FORKS, reason="a state once for all needs a fork")
def test_sixty_submissions_take_less_than_five_minutes(tmp_path, capsys):
    for number in range(60):
        wrong = {SPREADS: LOOP} if number % 20 == 0 else {}
        hand_in(tmp_path, f"s{number:02d}.ipynb", cells(right() | wrong))
    begin, before = time.monotonic(), os.times()
    grades = grade.grade(tmp_path, CHAPTER, "a word", LIMITS)
    seconds, after = time.monotonic() - begin, os.times()
    computed = sum(after[:4]) - sum(before[:4])  # a crowded machine has no part in it
    with capsys.disabled():
        print(f"\nsixty submissions, chapter {CHAPTER}: {seconds:.0f} s by the clock,")
        print(f"{computed:.0f} s of computing, for two processes at a time;", end=" ")
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    assert len(grades["students"]) == 60 and computed / LIMITS.jobs < 300


@pytest.mark.parametrize("chapter", ["01", "03"])
def test_names_of_functions_are_those_of_the_stubs(chapter):
    for task in tasks(chapter):
        assert re.search(rf"verdict\(check_\w+\)|{function_of(task)}", task.check)
