"""Quizzes: one right option, a reason for each; on the page, in Moodle, by keyboard."""

import importlib.util
import json
import re
from collections import Counter

import pytest
from axe_playwright_python.sync_playwright import Axe

from book._make.contents import chapters
from mpcl.__main__ import main
from mpcl.errors import ParameterError
from mpcl.provenance import ROOT
from mpcl.teaching import quiz
from mpcl.teaching.chapter import read

ASKED = quiz.questions()


def extension():
    path = ROOT / "book" / "_ext" / "quiz.py"
    made = importlib.util.spec_from_file_location("quiz_on_pages", path)
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


PAGES = extension()


def test_every_question_has_options_with_reasons():
    assert len(ASKED) >= 43
    assert len({question.id for question in ASKED}) == len(ASKED)
    places = Counter()
    for question in ASKED:
        assert 3 <= len(question.options) <= 4, question.id
        texts = [option.text for option in question.options]
        assert len(set(texts)) == len(texts)
        for option in question.options:
            assert option.text and option.why.endswith((".", "?")), question.id
        right = [not option.mistake for option in question.options].index(True)
        places[right] += 1
    assert max(places.values()) < 0.5 * len(ASKED), "the place must not give it away"


def test_the_right_option_is_not_always_the_longest():
    longest = sum(
        max(question.options, key=lambda option: len(option.text)).mistake == ""
        for question in ASKED
    )
    assert longest < 0.6 * len(ASKED), longest


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- id: a\n  options: []\n", "another form"),
        ("- just words\n", "another form"),
        ("- id: a\n  objective: x\n  question: y\n  options: []\n", "one right option"),
    ],
)
def test_a_question_of_another_form_is_refused_with_its_file(tmp_path, text, sentence):
    (tmp_path / "01.yml").write_text(text)
    with pytest.raises(ParameterError, match=f"01.yml: question 1.*{sentence}"):
        quiz.questions(tmp_path)


def from_gift(text):
    """What Moodle reads: escaped characters are text, the others are structure."""
    tokens = re.findall(r"\\(.)|([^\\])", text, re.S)
    plain = "".join(
        chr(0xE000 + ord(escaped)) if escaped else other for escaped, other in tokens
    )
    plain = re.sub(r"(?m)^//.*$", "", plain)

    def back(words):
        return re.sub("[\ue000-\ue0ff]", lambda m: chr(ord(m[0]) - 0xE000), words)

    for name, question, body in re.findall(
        r"::(.*?)::\[markdown\](.*?)\{(.*?)\}", plain, re.S
    ):
        options = re.findall(r"([=~])([^=~#]*)#([^=~#]*)", body)
        yield (
            back(name),
            back(question),
            [
                (mark == "=", back(t).strip(), back(why).strip())
                for mark, t, why in options
            ],
        )


def test_moodle_gets_what_the_book_asks(tmp_path, capsys):
    file = tmp_path / "quiz.gift"
    assert main(["quiz", "--gift", str(file)]) == 0
    assert f"{len(ASKED)} questions" in capsys.readouterr().out
    wanted = [
        (q.id, q.question, [(not o.mistake, o.text, o.why) for o in q.options])
        for q in ASKED
    ]
    assert list(from_gift(file.read_text(encoding="utf-8"))) == wanted


def test_special_characters_survive():
    hard = quiz.Option("a ~ b = {c} # d : e \\ f\n g", "$\\beta$: {1}")
    asked = [quiz.Question("x", "1.1", "what = {this}?", (hard,))]
    [(_, question, [(right, text, why)])] = from_gift(quiz.gift(asked))
    assert (question, right, why) == ("what = {this}?", True, "$\\beta$: {1}")
    assert text == "a ~ b = {c} # d : e \\ f g"


def test_every_objective_is_worked_on_and_every_question_has_one():
    rows = PAGES.coverage()
    empty = [row.aim for row in rows if not row.exercises and not row.quiz]
    assert not empty, f"no exercise and no question: {', '.join(empty)}"
    aims = {row.aim for row in rows}
    assert {question.objective for question in ASKED} <= aims
    for name, worked_on in PAGES.labs_of().items():
        assert worked_on <= aims, (
            f"{name}: {sorted(worked_on - aims)} is promised nowhere"
        )
    assert all(row.words.count("**") >= 2 for row in rows)
    table = PAGES.matrix()
    assert table.count("\n") == len(rows) + 1 and "01-largest" in table
    assert "lab2 |" in table and "ethics-1" in table and "labS" in table


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_chapter_has_its_quiz_in_place(path):
    name = path.stem.split("_")[0]
    source = path.read_text(encoding="utf-8")
    assert f"[Quiz {name}](quiz/{name}.yml)" in source
    mine = [q for q in ASKED if q.id.startswith(f"{name}-")]
    assert len(mine) >= 3
    page = json.loads(PAGES.filled(source))
    text = "\n".join("".join(cell["source"]) for cell in page["cells"])
    assert text.count("{container} quiz-question") == len(mine)
    assert "[Quiz" not in text and len(page["cells"]) == len(read(path))


def page_of(asked, box=""):
    """A page like the rendered one: a list, and the reasons folded below it."""

    def items(texts):
        return "<ol>" + "".join(f"<li><p>{text}</p></li>" for text in texts) + "</ol>"

    questions = "".join(
        f'<div class="quiz-question"><p><strong>{q.question}</strong></p>'
        + items(o.text for o in q.options)
        + "<details><summary>The answers, and why</summary>"
        + items(f"{'No.' if o.mistake else 'Right.'} {o.why}" for o in q.options)
        + "</details></div>"
        for q in asked
    )
    static = ROOT / "book" / "_static"
    return (
        '<!doctype html><html lang="en"><head><title>Quiz</title><meta charset="utf-8">'
        f"<style>{(static / 'quiz.css').read_text()}</style></head><body><main>"
        f'<h1>Quiz</h1><div class="{box}">{questions}</div></main>'
        f"<script>{(static / 'quiz.js').read_text()}</script></body></html>"
    )


@pytest.mark.browser
def test_a_quiz_is_answered_with_the_keyboard_and_says_why(browser, tmp_path):
    (tmp_path / "quiz.html").write_text(page_of(ASKED[:3]), encoding="utf-8")
    with browser.new_page(viewport={"width": 320, "height": 700}) as page:
        page.goto((tmp_path / "quiz.html").as_uri())
        groups = page.get_by_role("group")
        assert groups.count() == 3
        assert not page.get_by_text("The answers, and why").first.is_visible()
        first = page.get_by_role("group", name=ASKED[0].question)
        assert first.get_by_role("radio").count() == len(ASKED[0].options)
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        said = first.locator("output")
        assert said.get_attribute("aria-live") == "polite"
        assert said.inner_text().endswith(ASKED[0].options[0].why)
        page.keyboard.press("ArrowDown")
        assert said.inner_text().endswith(ASKED[0].options[1].why)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        found = Axe().run(page).response["violations"]
        assert not [rule["id"] for rule in found]


@pytest.mark.browser
def test_without_script_it_is_a_list_with_folded_answers(browser, tmp_path):
    (tmp_path / "quiz.html").write_text(page_of(ASKED[:1]), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "quiz.html").as_uri())
    assert page.get_by_text(ASKED[0].options[0].text).is_visible()
    assert page.get_by_text("The answers, and why").is_visible()
    assert page.locator("fieldset").count() == 0
    context.close()


@pytest.mark.browser
def test_a_self_test_draws_ten_by_the_seed_in_its_address(browser, tmp_path):
    (tmp_path / "test.html").write_text(page_of(ASKED, "self-test"), encoding="utf-8")
    address = (tmp_path / "test.html").as_uri()

    def drawn(query):
        with browser.new_page() as page:
            page.goto(address + query)
            legends = page.locator("fieldset:visible legend").all_inner_texts()
            again = page.get_by_role("link", name="These ten again").get_attribute(
                "href"
            )
            page.locator("fieldset:visible input").first.check()
            result = page.locator(".self-test > output").inner_text()
        assert re.fullmatch(r"[01] right at once, of 1 answered, of 10\.", result)
        return legends, again

    seven, again = drawn("?seed=7")
    assert len(set(seven)) == 10 and again == "?seed=7"
    assert drawn("?seed=7")[0] == seven != drawn("?seed=8")[0]
    some, again = drawn("?seed=<b>")
    assert len(some) == 10 and drawn(again)[0] == some


def test_a_file_that_is_no_quiz_is_not_replaced(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(ParameterError, match="notes.txt is there, and holds no quiz"):
        quiz.write(path)
    assert path.read_text() == "mine"
    assert quiz.write(tmp_path / "q.gift") == quiz.write(tmp_path / "q.gift") > 0
