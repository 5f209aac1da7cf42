"""Quizzes from ``book/quiz``, a self-test of all, and what covers each objective.

Objectives are promised by chapters and by the essays of the kit, texts whose exercises
ask for a sentence; labs work on the objectives of both.

A page says ``[Quiz 01](quiz/01.yml)``, ``[All quizzes](../quiz)`` or
``<!-- objectives -->``. What stands there then is a list with folded reasons;
``quiz.js`` makes radio buttons of it.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx

from book._ext.marks import fill_pages
from book._make.contents import chapters
from mpcl.teaching.chapter import Cell, exercises, read
from mpcl.teaching.quiz import Question, questions

ROOT = Path(__file__).resolve().parents[2]  # of the book as it is laid down to render
PAGES = r"book/(teaching/.*|(\d\d|bring)_.*)"  # with quizzes, or a table of them
QUIZ = re.compile(r"\[Quiz (\w+)\]\(quiz/\w+\.yml\)")
ALL, MATRIX = "[All quizzes](../quiz)", "<!-- objectives -->"
MISTAKES = re.compile(r"<!-- misconceptions (\w+) -->")
ESSAYS = {"E": "ethics", "P": "psychology"}  # by the letter of their objectives
ASKS = re.compile(r"(?m)^### Exercise \S+ ·.*\n\n\*\w+ · \d+ minutes · (.+)\*$")
AIM = re.compile(r"(?m)^- (.*?\*\*(\w[\w ]*)\*\*(?:.|\n(?!\n|- |:::|#))*)")


def objectives(cells: list[Cell], number: str) -> dict[str, str]:
    """What a chapter promises, by number, such as ``1.2``."""
    text = "\n".join(cell.source for cell in cells[:3] if cell.kind == "markdown")
    listed = text.split("You will be able to")[1].split("\n:::")[0]
    aims = [" ".join(match[1].split()) for match in AIM.finditer(listed)]
    return {f"{number}.{place}": aim for place, aim in enumerate(aims, 1)}


@dataclass(frozen=True)
class Row:
    """An objective, and what works on it."""

    page: str  # such as 01_mixed_emotions, teaching/ethics
    aim: str
    words: str
    exercises: list[str]
    quiz: list[str]
    labs: list[str]


def coverage(root: Path = ROOT) -> list[Row]:
    """Each objective with the exercises, quiz questions and labs that work on it."""
    rows: list[Row] = []
    asked = questions(root / "book" / "quiz")
    labs = labs_of(root)
    for page, number, cells, tasks in promising(root):
        for aim, words in objectives(cells, number).items():
            work = [name for name, aims in tasks if aim in aims]
            quiz = [each.id for each in asked if each.objective == aim]
            in_labs = [name for name, aims in labs.items() if aim in aims]
            rows.append(Row(page, aim, words, work, quiz, in_labs))
    return rows


def promising(
    root: Path,
) -> Iterator[tuple[str, str, list[Cell], list[tuple[str, Collection[str]]]]]:
    """Pages with objectives: name, number, cells, and exercises with their aims."""
    for path in chapters(root):
        cells, chapter = read(path), path.stem.split("_")[0]
        number = chapter.lstrip("0") if chapter.isdigit() else "B"
        yield path.stem, number, cells, [(t.id, t.objectives) for t in exercises(cells)]
    for number, name in ESSAYS.items():
        text = (root / "book" / "teaching" / f"{name}.md").read_text(encoding="utf-8")
        aims = [re.findall(r"\w\.\d+", line) for line in ASKS.findall(text)]
        tasks = [(f"{name}-{place}", each) for place, each in enumerate(aims, 1)]
        yield f"teaching/{name}", number, [Cell("markdown", text)], list(tasks)


def labs_of(root: Path = ROOT) -> dict[str, set[str]]:
    """The objectives of each lab, by its name, such as ``lab1``."""
    return {
        path.stem.split("_")[0]: {
            aim for task in exercises(read(path)) for aim in task.objectives
        }
        for path in sorted((root / "book" / "teaching").glob("lab*_*.md"))
    }


def matrix(root: Path = ROOT) -> str:
    """The coverage as a table in Markdown."""
    lines = [
        "| Objective | You will be able to | Exercises | Quiz | Labs |",
        "|---|---|---|---|---|",
    ]
    for row in coverage(root):
        link = f"{{doc}}`{row.aim} </book/{row.page}>`"
        words = row.words.rstrip(";.").replace("|", "\\|")
        columns = [", ".join(names) or "none" for names in (row.exercises, row.quiz)]
        columns.append(", ".join(row.labs) or "–")
        lines.append(f"| {link} | {words} | {' | '.join(columns)} |")
    return "\n".join(lines)


def shown(question: Question) -> str:
    """A question, its options, and folded below them the reason of each."""
    options = [f"{n}. {_line(o.text)}" for n, o in enumerate(question.options, 1)]
    reasons = [
        f"{n}. {'No.' if o.mistake else 'Right.'} {_line(o.why)}"
        for n, o in enumerate(question.options, 1)
    ]
    return "\n".join(
        [
            "::::{container} quiz-question",
            f"**{_line(question.question)}**\n",
            *options,
            "\n:::{dropdown} The answers, and why",
            *reasons,
            ":::\n::::\n",
        ]
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def filled(source: str, root: Path = ROOT) -> str:
    """A page's source with its quizzes and its table of objectives."""
    asked = questions(root / "book" / "quiz")

    def of_chapter(match: re.Match[str]) -> str:
        mine = [shown(q) for q in asked if q.id.startswith(f"{match[1]}-")]
        text = "\n".join(mine)
        return json.dumps(text, ensure_ascii=False)[1:-1] if is_notebook else text

    is_notebook = source.lstrip().startswith("{")
    source = QUIZ.sub(of_chapter, source)
    if ALL in source:
        every = "\n".join(map(shown, asked))
        source = source.replace(ALL, f":::::{{container}} self-test\n{every}\n:::::")
    source = MISTAKES.sub(lambda match: mistakes(match[1], asked), source)
    return source.replace(MATRIX, matrix(root)) if MATRIX in source else source


def mistakes(chapter: str, asked: list[Question]) -> str:
    """The mistakes that the wrong options of a chapter's quiz stand for."""
    wrong = [
        f"- *{_line(option.mistake)}* ({question.id}): {_line(option.text)}"
        for question in asked
        for option in question.options
        if option.mistake and question.id.startswith(f"{chapter}-")
    ]
    return "\n".join([":::{dropdown} Mistakes that its quiz offers", *wrong, ":::"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_css_file("quiz.css")
    app.add_js_file("quiz.js", loading_method="defer")
    return fill_pages(app, filled, PAGES)
