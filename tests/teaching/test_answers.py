"""What students may answer: every wrong answer is caught and told why, no right one is.

The student's notebook of a chapter is run once, with all of its stubs; its state serves
all answers to that chapter.
"""

import ast
import contextlib
import functools
import importlib
import io
import linecache
import os
import re
import types

import matplotlib.pyplot as plt
import pytest

from book._make.contents import chapters
from mpcl.teaching import exercises, lab
from mpcl.teaching.chapter import exercises as exercises_of
from mpcl.teaching.chapter import read, stub_of
from tests.teaching.mutants import mutants
from tests.wrong import Answer

CHAPTERS = {path.stem: path for path in chapters()}
HEAVY = {  # tens of seconds on a busy machine
    "04_associative_memory",
    "10_training",
    "11_results",
}
LISTED = [
    name
    for name in CHAPTERS
    if os.path.exists(os.path.join(os.path.dirname(__file__), f"../wrong/{name}.py"))
]


def marked(names):
    """Chapters as parameters; those whose state takes long are slow."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else [])
        for name in names
    ]


def run(source, state, name):
    """Run a cell, so that errors can show its lines; what it prints."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, name, "exec"), state)
    plt.close("all")
    return printed.getvalue()


@functools.cache
def played(chapter):
    """The state after a student's notebook with all stubs, and what its checks said."""
    state, said = {"__name__": "__main__"}, []
    script = lab.script_text(lab.student_cells(CHAPTERS[chapter]))
    for number, cell in enumerate(script.split("# %%")):
        if cell.startswith(" [markdown]") or not cell.strip():
            continue
        printed = run(cell, state, f"<{chapter} {number}>")
        if re.search(r"(?m)^verdict\(check", cell):
            said.append(printed)
        elif number == 2:
            assert printed.startswith("Ready"), printed
    return state, said


def tasks(chapter):
    return {task.id: task for task in exercises_of(read(CHAPTERS[chapter]))}


def name_of(task):
    return ast.parse(task.stub).body[-1].name


def judged(chapter, task, function):
    """The verdict on a function that answers an exercise, in the chapter's state."""
    state = played(chapter)[0]
    check = re.search(r"def (check_\w+)", task.check)[1]
    return exercises.judge(state[check], (function,), 60.0)


def in_state(function, state):
    """A function of another file, with the names of the chapter and its own."""
    return types.FunctionType(
        function.__code__,
        {**state, **function.__globals__},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


@pytest.mark.parametrize("chapter", marked(CHAPTERS))
def test_a_students_notebook_runs_to_its_end_and_passes_once_it_is_answered(chapter):
    state, said = played(chapter)
    every = tasks(chapter)
    assert said == [f"Not yet: {exercises.STUB}\n"] * len(every)
    for task in every.values():
        assert run(task.solution, state, f"<{task.id}>") == "Passed.\n", task.id


@pytest.mark.parametrize("chapter", marked(LISTED))
def test_wrong_answers_are_told_why_and_other_right_ones_pass(chapter, capsys):
    given: list[Answer] = importlib.import_module(f"tests.wrong.{chapter}").ANSWERS
    by_name = {name_of(task): task for task in tasks(chapter).values()}
    assert {answer.function.__name__ for answer in given} <= by_name.keys()
    state, rows, faults = played(chapter)[0], [], []
    for name, task in by_name.items():
        mine = [answer for answer in given if answer.function.__name__ == name]
        if not mine:
            continue
        said = {a: judged(chapter, task, in_state(a.function, state)) for a in mine}
        wrong = [a for a in mine if a.hint is not None]
        right = [a for a in mine if a.hint is None]
        caught = [a for a in wrong if not said[a].passed]
        hinted = [a for a in caught if re.search(a.hint, said[a].hint)]
        accepted = [a for a in right if said[a].passed]
        rows.append((task.id, wrong, caught, hinted, accepted, right))
        bad = [a for a in wrong if a not in hinted] + [
            a for a in right if a not in accepted
        ]
        faults += [f"{task.id}, {a.mistake!r}: {said[a]}" for a in bad]
        if len(wrong) < 4 or len(right) < 2:
            faults.append(f"{task.id}: four wrong answers and two right ones at least")
    with capsys.disabled():
        print(f"\n{'exercise':22} caught  with its hint  other right ones accepted")
        for name, wrong, caught, hinted, accepted, right in rows:
            print(
                f"{name:22} {len(caught)}/{len(wrong)}  {len(hinted):>9}/{len(wrong)}"
                f"  {len(accepted):>15}/{len(right)}"
            )
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_stub_is_its_solution_without_the_body(chapter):
    for task in tasks(chapter).values():
        assert task.stub == stub_of(task.solution), task.id


EQUIVALENT = {  # by exercise: changes after which an answer is still right
    "01-behind": (
        "off by one: 6 -> 7",  # more than 5 is left out below
        "min: label.min -> label.max",  # then the largest rating is tried
    ),
    "02-entropy": ("off by one: 1 -> 2",),  # times a share of 0
    "02-means": (
        "sign: dataset.distribution.mean('window') - by_trial -> "
        "by_trial - dataset.distribution.mean('window')",
    ),
    "04-step": ("off by one: 0 -> -1",),  # of one gradient
    "04-number": (
        "log: np.log -> np.log2",  # where the search begins
        "off by one: 40 -> 41",
        "off by one: 40 -> 39",
    ),
    "04-chosen": ("mean: kl(train, Memory(beta)).mean -> kl(train, Memory(beta)).sum",),
    "05-counted": ("off by one: 0 -> -1",),  # the gate has one axis
    "05-reach": (  # a grid as fine, or without one corner
        "off by one: 60 -> 61",
        "off by one: 60 -> 59",
        "operator: n + 1 -> n - 1",
    ),
    "07-trusted": (  # both sides of a comparison
        "sum: (target * log_views).sum -> (target * log_views).mean",
    ),
    "12-finding": ("mean: np.mean -> np.sum",),  # of which the sign counts
    "14-scored": (  # trials do not overlap in time
        "min: start[trial == each].min -> start[trial == each].max",
    ),
    "08-beyond": (  # a correlation has no unit
        "log: np.log -> np.log2",
        "operator: logs.T @ logs / len(logs) -> logs.T @ logs * len(logs)",
        "no normalisation: logs.T @ logs / len(logs) -> logs.T @ logs",
    ),
    "09-pair": (  # as many rows for every pair
        "mean: metrics.kl(label, spread(label, groups, mean)).mean -> "
        "metrics.kl(label, spread(label, groups, mean)).sum",
    ),
    "13-power": (
        "mean: metrics.kl(true, raised / raised.sum(1, keepdims=True)).mean -> "
        "metrics.kl(true, raised / raised.sum(1, keepdims=True)).sum",
        "sum: raised.sum -> raised.mean",  # ln 3 less for every power
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_small_mistakes_in_a_solution_are_caught(chapter, capsys):
    state, rows, all_alive = played(chapter)[0], [], []
    for task in tasks(chapter).values():
        if task.id == "02-mine":  # whose numbers are free
            continue
        made = dict(mutants(task.solution))
        for words in EQUIVALENT.get(task.id, ()):
            made.pop(words, None)
        alive = []
        for words, source in made.items():
            own = dict(state)
            run(source, own, f"<mutant of {task.id}>")
            if judged(chapter, task, own[name_of(task)]).passed:
                alive.append(words)
        all_alive += [f"{task.id}: {words}" for words in alive]
        rows.append((task.id, len(made) - len(alive), len(made)))
    killed, total = (sum(row[at] for row in rows) for at in (1, 2))
    with capsys.disabled():
        print()
        for name, caught, count in rows:
            print(f"{name:22} {caught}/{count} small mistakes caught")
        print("\n".join(f"  not caught: {words}" for words in all_alive))
    assert killed >= 0.95 * total, f"{killed} of {total}"
