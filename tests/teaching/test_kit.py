"""The kit: twelve questions within two clicks, pages that link, law that is dated."""

import re
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from book._make import editions
from book._make.contents import pages
from mpcl.provenance import ROOT

BOOK = ROOT / "book"
KIT = BOOK / "teaching"
QUESTIONS = {  # what a lecturer asks first, where it is answered, and in which words
    "For whom is it?": ("decide", r"Master's students"),
    "How many hours, in which order?": ("plans", r"Six weeks"),
    "What must I know myself?": ("notes", r"\*Ask\*"),
    "What is installed, and where?": ("set_up", r"Without PyTorch"),
    "Which data, which agreements?": ("data_in_class", r"simulated cohorts"),
    "May I record my students?": ("data_in_class", r"never record or infer"),
    "What is graded, by what rubric?": ("labs", r"40 %"),
    "How long do I mark?": ("labs", r"minutes a\nstudent and lab"),
    "How do I grade a class?": ("grading", r"mpcl grade inbox"),
    "What about language models?": ("assessment", r"choose one of three"),
    "What do students learn, and by what?": ("objectives", r"<!-- objectives -->"),
    "May I change and reuse it?": ("decide", r"CC BY 4\.0"),
    "Can everybody take part?": ("accessibility", r"not tested, or known"),
    "What has not been tried?": ("decide", r"Not tried"),
}
LINK = re.compile(r"\]\((?!http)([\w./-]+?)(?:\.md)?\)|\{doc\}`(?:[^`<]*<)?([^`>]+)>?`")


def links(page):
    """The pages that a page links to, as paths without suffix."""
    text = page.read_text(encoding="utf-8")
    for first, second in LINK.findall(text):
        target = first or second
        if "quiz" in target:  # filled when the book is built
            continue
        base = ROOT if target.startswith("/") else page.parent
        yield Path(base, target.lstrip("/")).resolve()


def depths():
    """How many clicks away from the landing page each page of Markdown is."""
    start = BOOK / "index"
    reached, edge = {start: 0}, [start]
    for page in edge:
        file = page.with_suffix(".md")
        for target in links(file) if file.exists() else ():
            if target not in reached:
                reached[target] = reached[page] + 1
                edge.append(target)
    return reached


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_lecturers_question_is_answered_within_two_clicks(question):
    name, words = QUESTIONS[question]
    assert depths()[KIT / name] <= 2, question
    assert re.search(words, (KIT / f"{name}.md").read_text(encoding="utf-8")), question


def test_all_pages_of_the_kit_are_in_the_book_and_reached_from_its_first_page():
    listed, clicks = pages(), depths()
    for page in sorted(KIT.glob("*.md")):
        assert f"book/teaching/{page.stem}" in listed
        assert clicks[page.with_suffix("")] <= 3, page.name


@pytest.mark.parametrize("page", sorted(KIT.glob("*.md")), ids=lambda path: path.stem)
def test_links_of_the_kit_lead_somewhere(page):
    for target in links(page):
        kinds = [target.with_suffix(kind) for kind in (".md", ".ipynb")]
        assert any(kind.exists() for kind in kinds), target


def test_what_is_said_of_the_law_has_a_date_and_sources():
    ethics = (KIT / "ethics.md").read_text(encoding="utf-8")
    for place in ("Article 5(1)(f)", "Article 9", "Annex III", "Article 50(3)", "2(6)"):
        assert place in ethics
    used, given = (
        set(re.findall(pattern, ethics, re.M))
        for pattern in (r"\[\^(\w+)\](?!:)", r"^\[\^(\w+)\]:")
    )
    assert used == given
    notes = dict(re.findall(r"(?m)^\[\^(\w+)\]: (.+)$", ethics))
    assert notes["prohibition"].count("`") >= 4, "two sources at least"
    for page in ("ethics", "data_in_class"):
        text = (KIT / f"{page}.md").read_text(encoding="utf-8")
        assert re.search(r"checked on 28 November 2026", text, re.I)
        assert "no legal advice" in text


def test_each_licence_is_said_where_it_applies():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    for text in (
        config["html"]["extra_footer"],
        (KIT / "decide.md").read_text(encoding="utf-8"),
        (KIT / "labs.md").read_text(encoding="utf-8"),
    ):
        assert "CC BY 4.0" in text and "BSD-3-Clause" in text and "CC0" in text


@pytest.mark.parametrize("name", ["ethics", "psychology"])
def test_an_essay_asks_for_sentences_and_says_how_they_are_marked(name):
    text = (KIT / f"{name}.md").read_text(encoding="utf-8")
    prompts = re.split(r"(?m)^### Exercise ", text)[1:]
    assert len(prompts) >= 4
    for prompt in prompts:
        assert re.search(r"\*write · \d+ minutes · objectives [EP]\.\d", prompt)
        assert "two sentences" in " ".join(prompt.split())
        assert all(f"*{mark}*" in prompt for mark in ("Two points", "One", "None"))


def test_plans_add_up():
    text = (KIT / "plans.md").read_text(encoding="utf-8")
    for heading, minutes in (("One lecture of 90", 90), ("One lab of three", 180)):
        part = text.split(f"## {heading}")[1].split("\n## ")[0]
        assert sum(map(int, re.findall(r"(?m)^\| (\d+) \|", part))) == minutes


def test_slides_have_minutes_and_questions_with_their_answers_in_the_notes():
    page = BeautifulSoup(
        '<div><p>one two</p><div class="quiz-question"><p>What?</p><ol><li>a</li></ol>'
        "<details><summary>x</summary><ol><li>Right. So.</li></ol></details></div>"
        "</div>",
        "html.parser",
    )
    [asked] = editions.questions(page)
    shown, notes = asked.split('<aside class="notes">')
    assert "What?" in shown and "Right" not in shown and "<details" not in asked
    assert "Right. So." in notes and "About 3 min" in notes
    assert page.select_one("details"), "the page itself keeps its answers"
    assert editions.minutes([page.p]).startswith("About 1 min, guessed from 2 words")
