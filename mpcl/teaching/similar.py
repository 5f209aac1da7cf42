"""Answers that are the same but for names: a reason to talk, not a verdict."""

import ast
from itertools import combinations

from mpcl.teaching.collect import Submission


def similar(submissions: list[Submission]) -> list[tuple[int, str, str, str]]:
    """Pairs of equal answers: their size in syntax nodes, the exercise, both students.

    The largest first: short answers agree by themselves.
    """
    by_shape: dict[tuple[str, str], list[Submission]] = {}
    for submission in submissions:
        for key, answer in submission.answers.items():
            if answer.source:
                shape = shape_of(answer.source)
                by_shape.setdefault((key, shape), []).append(submission)
    pairs: list[tuple[int, str, str, str]] = []
    for (key, _), alike in by_shape.items():
        size = sum(1 for _ in ast.walk(ast.parse(alike[0].answers[key].source)))
        for first, second in combinations(alike, 2):
            pairs.append((size, key, first.student, second.student))
    return sorted(pairs, reverse=True)


def shape_of(source: str) -> str:
    """The syntax of an answer without docstring, comments and its choice of names.

    Example:
        >>> shape_of("def f(x): return x + 1") == shape_of("def f(y): return y + 1")
        True
        >>> shape_of("def f(x): return x + 1") == shape_of("def f(x): return x - 1")
        False
    """
    tree = ast.parse(source)
    numbers: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.arg):
            numbers[node.arg] = f"name{len(numbers)}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            numbers.setdefault(node.id, f"name{len(numbers)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = numbers.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = numbers[node.arg]
    return ast.dump(tree)
