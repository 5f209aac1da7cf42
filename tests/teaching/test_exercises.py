"""What a verdict says of answers that are wrong in every way."""

import re
import signal
import threading

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from mpcl.errors import DatasetError
from mpcl.notebook import verdict as of_notebook
from mpcl.teaching import exercises
from mpcl.teaching.exercises import NotYet, expect, expect_close, judge, verdict


def check_double(double):
    expect(double(2) == 4, "twice two is four")
    expect(double(0) == 0, "twice nothing is nothing")
    expect_close(double(np.array([1.0, 2])), [2, 4], "one number each")


def test_all_expectations_count_and_the_first_that_fails_is_said(capsys):
    result = verdict(check_double, lambda x: x + 2)
    assert (result.held, result.total, result.passed) == (1, 3, False)
    assert str(result) == "Not yet: twice nothing is nothing (1 of 3 hold)"
    assert capsys.readouterr().out == f"{result}\n"
    assert verdict(check_double, lambda x: 2 * x).passed
    assert capsys.readouterr().out == "Passed.\n"
    assert of_notebook is verdict


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: None, "nothing: is a `return` missing"),
        (lambda x: 1 / 0, "your line .*1 / 0.* stops with ZeroDivisionError"),
        (lambda x: x + ceilling, "NameError: name 'ceilling'"),  # noqa: F821
        (lambda: 4, "the check cannot call your function: TypeError"),
        (lambda x: [2 * x], "the shape is|twice two is four"),
        (lambda x: "4", "twice two is four"),
        (None, "there is no `double` yet"),
        (4, "`double` is no function"),
        (exit, "SystemExit|stops"),
    ],
)
def test_a_mistake_is_a_sentence(answer, sentence):
    result = judge(check_double, (answer,))
    assert not result.passed
    assert re.search(sentence, str(result)), str(result)


def test_a_stub_is_no_mistake():
    def double(x):
        raise NotImplementedError

    assert str(judge(check_double, (double,))) == f"Not yet: {exercises.STUB}"


def test_a_check_may_raise_for_itself():
    def check(answer):
        if answer() != 1:
            raise DatasetError("it should be one")

    assert str(judge(check, (lambda: 2,))) == "Not yet: it should be one"


def test_shapes_are_compared_and_both_said():
    def check(answer):
        expect_close(answer(), np.zeros((2, 3)), "a row a trial")

    for value in (np.zeros(3), 0.0, torch.zeros(2, 3, 1)):
        assert "the shape is" in judge(check, (lambda value=value: value,)).hint
    assert judge(check, (lambda: [[0, 0, 0], [0, 0, 0]],)).passed
    assert judge(check, (lambda: torch.zeros(2, 3, requires_grad=True),)).passed


def test_inputs_are_copies():
    page = np.ones(3), torch.ones(3), {"a": [1, 2]}

    def spoil(array, tensor, table):
        array[:], tensor[:], table["a"][0] = 0, 0, 0
        return 1

    def check(spoil):
        expect(spoil(*page) == 1, "one")

    assert judge(check, (spoil,)).passed
    assert page[0].sum() == 3 and page[1].sum() == 3 and page[2] == {"a": [1, 2]}


def test_gradients_go_through_copies():
    def check(square):
        start = torch.tensor(3.0, requires_grad=True)
        square(start * 2).backward()
        expect_close(start.grad, 24, "the gradient")

    assert judge(check, (lambda x: x**2,)).passed


def test_an_endless_loop_ends():
    def leave(*_):
        raise SystemExit  # as a library may have set it before

    before = signal.signal(signal.SIGINT, leave)

    def forever(x):
        while True:
            pass

    result = judge(check_double, (forever,), seconds=0.3)
    assert result.hint == "it takes more than 0.3 s: does a loop never end?"
    assert judge(check_double, (lambda x: 2 * x,), seconds=0.3).passed
    assert signal.signal(signal.SIGINT, before) is leave
    said = []
    away = threading.Thread(
        target=lambda: said.append(judge(check_double, (lambda x: 2 * x,)))
    )
    away.start()
    away.join()
    assert said[0].passed


def test_it_raises_where_it_is_graded(monkeypatch):
    with pytest.raises(NotYet, match="twice nothing"):
        verdict(check_double, lambda x: x + 2, strict=True)
    monkeypatch.setenv("MPCL_GRADING", "1")
    with pytest.raises(NotYet, match="twice nothing"):
        verdict(check_double, lambda x: x + 2)
    assert verdict(check_double, lambda x: 2 * x).passed


def test_outside_of_a_verdict_expectations_are_assertions():
    with pytest.raises(AssertionError, match="twice nothing"):
        check_double(lambda x: x + 2)
    check_double(lambda x: 2 * x)


def test_the_function_of_the_notebook_is_judged():
    space = {"expect": expect}
    exec("def check_me(me):\n    expect(me() == 1, 'one')", space)
    assert "there is no `me` yet: run the cell" in verdict(space["check_me"]).hint
    exec("def me():\n    return 1", space)
    assert verdict(space["check_me"]).passed


def test_nothing_is_shown_beside_what_is_printed():
    result = judge(check_double, (lambda x: x,))
    assert InteractiveShell().display_formatter.format(result) == ({}, {})
