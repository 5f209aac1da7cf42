"""Source code as a page shows it: without a docstring that is longer than its code."""

import ast
from textwrap import dedent

Documented = ast.FunctionDef | ast.ClassDef


def without_docstrings(source: str, always: bool = False) -> str:
    """A function or class without each docstring that is longer than the code below it.

    >>> source = 'def f():\\n    \"\"\"One.\\n\\n    Two.\\n    \"\"\"\\n    return 1'
    >>> print(without_docstrings(source))
    def f():
        return 1
    """
    lines = source.splitlines(keepends=True)
    nodes = [
        node
        for node in ast.walk(ast.parse(dedent(source)))
        if isinstance(node, Documented) and ast.get_docstring(node) is not None
    ]
    for node in sorted(nodes, key=lambda node: node.lineno, reverse=True):
        text, *code = node.body
        first, last = text.lineno, text.end_lineno or text.lineno
        size = (code[-1].end_lineno or last) - last if code else 0
        if code and (always or last - first + 1 > size):
            while not lines[last].strip():  # empty lines between text and code
                last += 1
            del lines[first - 1 : last]
    return "".join(lines)
