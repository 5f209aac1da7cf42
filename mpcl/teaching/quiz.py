"""Questions with options, each with its reason, and their export to Moodle."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from mpcl.errors import ParameterError
from mpcl.files import write_text
from mpcl.provenance import ROOT

FOLDER = ROOT / "book" / "quiz"


@dataclass(frozen=True)
class Option:
    """An answer to choose; what mistake it stands for is empty for the right one."""

    text: str
    why: str
    mistake: str = ""


@dataclass(frozen=True)
class Question:
    """A question with one right option among three or four."""

    id: str
    objective: str
    question: str
    options: tuple[Option, ...]


def questions(folder: Path = FOLDER) -> list[Question]:
    """All questions of a folder's YAML files, by chapter.

    Raises:
        ParameterError: for a question of another form, with its file.
    """
    asked: list[Question] = []
    for path in sorted(folder.glob("*.yml")):
        for number, entry in enumerate(yaml.safe_load(path.read_text("utf-8")), 1):
            try:
                options = tuple(Option(**option) for option in entry.pop("options"))
                asked.append(Question(options=options, **entry))
            except (TypeError, KeyError, AttributeError) as error:
                sentence = f"{path}: question {number} has another form ({error})"
                raise ParameterError(sentence) from error
            if sum(not option.mistake for option in options) != 1:
                raise ParameterError(
                    f"{path}: question {number} needs one right option"
                )
    return asked


def gift(asked: list[Question]) -> str:
    """Questions in Moodle's GIFT format, the reason of each option as its feedback."""
    blocks: list[str] = []
    for question in asked:
        lines = [
            f"{'~' if option.mistake else '='}{_gift(option.text)}#{_gift(option.why)}"
            for option in question.options
        ]
        head = f"// objective {question.objective}\n::{_gift(question.id)}::[markdown]"
        body = "\n".join(lines)
        blocks.append(f"{head}{_gift(question.question)}{{\n{body}\n}}\n")
    return "\n".join(blocks)


def _gift(text: str) -> str:
    r"""A text on one line, its special characters escaped.

    Example:
        >>> print(_gift("a = {b}: 50 %"))
        a \= \{b\}\: 50 %
    """
    return re.sub(r"([~=#{}:\\])", r"\\\1", " ".join(text.split()))


def write(path: Path) -> int:
    """Write all questions of the book for Moodle; how many there are.

    Raises:
        ParameterError: if another kind of file is there, which would be lost.
    """
    asked = questions()
    if path.is_file() and not path.read_bytes().startswith(b"// objective"):
        raise ParameterError(f"{path} is there, and holds no quiz; choose another name")
    write_text(gift(asked), path)
    return len(asked)
