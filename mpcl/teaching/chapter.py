"""The exercises of a chapter: three cells each, of which the solution is the source."""

import ast
import json
import re
import symtable
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mpcl.errors import ParameterError

IMPORTS = (ast.Import, ast.ImportFrom)
SHOWS = {"print", "display", "plt"}
GROWS = ("add", "append", "extend", "insert", "pop", "setdefault", "sort", "update")
ORDER = ("exercise", "check", "solution")
BLOCK = re.compile(
    r"(?ms)^```\{code-block\} python\n:class: (?P<kind>\w+)\n"
    r"(?::name: (?P<id>\S+)\n)?\n*(?P<code>.*?)\n```\n"
)
TASK = re.compile(r"\n\*(\w+) · (\d+) minutes · objectives? ([^*]+)\*\n")


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook, without its outputs."""

    kind: str  # markdown or code
    source: str
    tags: tuple[str, ...] = ()
    facts: dict[str, object] | None = None  # of a solution: id, level, minutes, ...


@dataclass(frozen=True)
class Exercise:
    """An exercise of a chapter."""

    place: int  # of its stub, among the cells of the chapter
    prompt: str
    stub: str
    check: str
    solution: str
    id: str
    level: str
    minutes: int
    objectives: list[str]
    needs: list[str]  # names of the chapter that an answer may use


def read(path: Path) -> list[Cell]:
    """The cells of a notebook of format 4, or of a lab's page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return cells_of_page(text)
    return [
        Cell(
            cell["cell_type"],
            "".join(cell["source"]),
            tuple(cell["metadata"].get("tags", ())),
            cell["metadata"].get("mpcl"),
        )
        for cell in json.loads(text)["cells"]
    ]


def cells_of_page(text: str) -> list[Cell]:
    """The cells of a lab: code blocks of the classes setup, check and solution.

    The name of a check's block is the id of its exercise; the stub is made from the
    solution, and an answer may use whatever the solution uses.
    """
    cells: list[Cell] = []
    begin = 0
    for block in BLOCK.finditer(text):
        before, code = text[begin : block.start()].strip(), block["code"]
        begin = block.end()
        if block["kind"] == "solution":
            check = cells.pop()  # the stub stands before it
            stub = Cell("code", stub_of(code), ("exercise",))
            facts = _facts(cells[-1].source, code) | (check.facts or {})
            cells += [stub, check, Cell("code", code, ("solution",), facts)]
            continue
        if before:
            cells.append(Cell("markdown", before))
        if block["kind"] == "check":
            cells.append(Cell("code", code, ("check",), {"id": block["id"]}))
        else:
            cells.append(Cell("code", code))
    return cells


def _facts(prompt: str, solution: str) -> dict[str, object]:
    """What a chapter's solution has in its metadata, read from a lab's page."""
    level, minutes, aims = TASK.findall(prompt)[-1]
    return {
        "level": level,
        "minutes": int(minutes),
        "objectives": re.findall(r"\w+\.\d+", aims),
        "needs": sorted(names_of(solution)[1]),
    }


def exercises(cells: list[Cell]) -> list[Exercise]:
    """The exercises among the cells of a chapter, in order.

    Raises:
        ParameterError: where a stub is not followed by its check and its solution.
    """
    made: list[Exercise] = []
    for place, cell in enumerate(cells):
        if "exercise" not in cell.tags:
            continue
        three = cells[place : place + 3]
        if [tag for part in three for tag in part.tags if tag in ORDER] != list(ORDER):
            raise ParameterError(f"cell {place}: a check, then a solution must follow")
        prompt = cells[place - 1].source
        prompt = prompt[prompt.index("### Exercise") :]
        facts = three[2].facts or {}
        # pyrefly: ignore[bad-argument-type]  # tested on all chapters
        made.append(Exercise(place, prompt, *(c.source for c in three), **facts))
    return made


def stub_of(solution: str) -> str:
    """The signature and the docstring of the last function of a solution.

    Example:
        >>> source = "def double(x):" + '\\n    "Twice x."\\n    return 2 * x\\n'
        >>> print(stub_of(source))
        def double(x):
            "Twice x."
            raise NotImplementedError
    """
    function = [
        node for node in ast.parse(solution).body if isinstance(node, ast.FunctionDef)
    ][-1]
    lines = solution.splitlines()[function.lineno - 1 : function.body[0].end_lineno]
    return "\n".join([*lines, "    raise NotImplementedError"])


def names_of(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell defines or changes, and those that it needs from before.

    Example:
        >>> sorted(map(sorted, names_of("y = f(x); z[0] = y")))
        [['f', 'x', 'z'], ['y', 'z']]
    """
    defined: set[str] = set()
    changed: set[str] = set()
    needs: set[str] = set()
    for statement in ast.parse(source).body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        symbols = table.get_symbols()
        used = {s.get_name() for s in symbols if s.is_referenced()} | _globals(table)
        in_place = _done_to(statement)
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for node in ast.walk(statement):
                in_place |= _changed(node)
                if isinstance(node, ast.For):
                    used -= _names(node.target)  # set before its block reads it
                elif isinstance(node, ast.withitem):
                    used -= _names(node.optional_vars)
        needs |= (used | in_place) - defined
        defined |= {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
        changed |= in_place
    return defined | changed, needs


def _names(node: ast.AST | None) -> set[str]:
    inner = ast.walk(node) if node else ()
    return {part.id for part in inner if isinstance(part, ast.Name)}


def _done_to(statement: ast.stmt) -> set[str]:
    """What a call may change that stands alone, as ``u.sort()`` and ``fill(u)`` do."""
    call = statement.value if isinstance(statement, ast.Expr) else statement
    if not isinstance(call, ast.Call) or _names(call) & SHOWS:
        return set()
    return _names(call.func).union(
        *(
            _names(part)
            for part in call.args
            if not isinstance(part, ast.ListComp | ast.DictComp | ast.GeneratorExp)
        )
    )


def _changed(node: ast.AST) -> set[str]:
    """The names whose values a part of a statement may change in place."""
    if isinstance(node, ast.AugAssign):
        return _names(node.target)
    if isinstance(node, ast.Subscript | ast.Attribute):
        grows = isinstance(node, ast.Attribute) and node.attr in GROWS
        if grows or isinstance(node.ctx, ast.Store):
            return _names(node.value)
    return set()


def _globals(table: symtable.SymbolTable) -> set[str]:
    """The names that functions within a cell read from outside of it, or from it."""
    names: set[str] = set()
    for inner in table.get_children():
        names |= {s.get_name() for s in inner.get_symbols() if s.is_global()}
        names |= _globals(inner)
    return names


def needed(
    cells: list[Cell], place: int, names: Iterable[str]
) -> dict[tuple[int, int], str]:
    """The statements before a place that names come from, by cell and line.

    Parameters and imports come whole. By names alone: the student's notebooks are run
    to find what that does not see.
    """
    wanted = set(names)
    kept: dict[tuple[int, int], str] = {}
    code = {n: c for n, c in enumerate(cells[:place]) if c.kind == "code"}
    trees = {number: ast.parse(cell.source) for number, cell in code.items()}
    imports = [n for t in trees.values() for n in ast.walk(t) if isinstance(n, IMPORTS)]
    imported = {alias.asname or alias.name for n in imports for alias in n.names}
    for number, cell in reversed(code.items()):
        if set(ORDER) & set(cell.tags):
            continue
        whole = "parameters" in cell.tags or "start(globals())" in cell.source
        begins = [0, *(node.end_lineno or 0 for node in trees[number].body)]
        for begin, node in reversed(
            list(zip(begins, trees[number].body, strict=False))
        ):
            source = "\n".join(cell.source.splitlines()[begin : node.end_lineno])
            given, needs = names_of(source)
            changes = given if isinstance(node, IMPORTS) else given - imported
            if whole or changes & wanted:
                kept[number, begin] = source
                wanted = (wanted - changes) | needs
    return dict(sorted(kept.items()))
