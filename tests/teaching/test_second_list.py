"""How many of a second list of wrong answers are caught: printed, and no target."""

import ast

import pytest

from tests.teaching.second_list import ANSWERS
from tests.teaching.test_answers import CHAPTERS, judged, played, run, tasks

WHERE = {task.id: chapter for chapter in CHAPTERS for task in tasks(chapter).values()}


@pytest.mark.slow
def test_the_second_list_is_tried_and_its_catch_rate_printed(capsys):
    rows, missed = [], []
    for key, answers in ANSWERS.items():
        if key not in WHERE:  # an exercise that went since
            continue
        task = tasks(WHERE[key])[key]
        caught = 0
        for number, source in enumerate(answers, 1):
            own = dict(played(WHERE[key])[0])
            run(source, own, f"<second list, {key} {number}>")
            name = ast.parse(source).body[-1].name
            verdict = judged(WHERE[key], task, own[name])
            caught += not verdict.passed
            rows.append((key, number, verdict.hint[:90] or "passed"))
            if verdict.passed:
                missed.append(f"{key} {number}")
    with capsys.disabled():
        print()
        for key, number, hint in rows:
            print(f"{key:16} {number}  {hint}")
        print(f"second list: {len(rows) - len(missed)} of {len(rows)} caught; {missed}")
    assert rows
