"""Answers that students may give: wrong ones with their mistake, and other right ones.

A file a chapter. The checks are tried on all of them, see ``tests/teaching``; the names
of the mistakes make the list of misconceptions for instructors.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A function that answers an exercise; its name says which."""

    function: object
    mistake: str  # or, of a right one, what is different about it
    hint: str | None = None  # pattern of the hint that a wrong one must earn


def answers():
    """A chapter's list, and the two decorators that fill it."""
    given = []

    def wrong(mistake, hint):
        """A wrong answer: the name of the mistake, and a pattern of its hint."""
        return lambda function: given.append(Answer(function, mistake, hint))

    def right(words):
        """Another right answer, and what is different about it."""
        return lambda function: given.append(Answer(function, words))

    return given, wrong, right
