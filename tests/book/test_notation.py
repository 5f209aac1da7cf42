"""One symbol has one meaning over the whole book: ``book/notation.md`` has them all."""

import re

import pytest

from book._make.contents import chapters
from book._make.fresh import read_notebook
from mpcl.provenance import ROOT

NOTATION = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
CHAPTERS = chapters()
GREEK = set(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \kappa \lambda"
    r" \mu \nu \xi \pi \rho \sigma \tau \phi \varphi \chi \psi \omega \Gamma \Delta"
    r" \Theta \Lambda \Xi \Pi \Sigma \Phi \Psi \Omega".split()
)
WORDS = r"\\(?:text|operatorname|mathrm|texttt|label|begin|end)\*?\{[^{}]*\}"
each = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def words_of(path):
    """The text of a chapter."""
    cells = read_notebook(path).cells
    return "\n".join(c.source + "\n" for c in cells if c.cell_type == "markdown")


def mathematics(text):
    """Everything that is set as mathematics in a text."""
    shown = r"```\{math\}\n(?::label:[^\n]*\n)?(.*?)```|\$\$(.*?)\$\$"
    blocks = [one or two for one, two in re.findall(shown, text, re.S)]
    rest = re.sub(shown, "", text, flags=re.S)
    return blocks + re.findall(r"\$([^$]+)\$", re.sub(r"`[^`\n]*`", "", rest))


def letters(formula):
    """The letters of a formula: what stands by itself, and what is an index."""
    formula = re.sub(r"\\mathcal\{?(\w)\}?", r"\\mathcal\1 ", formula)
    formula = re.sub(WORDS, " ", formula)
    alone, indices, depth, low = set(), set(), 0, None
    expected = False  # an index comes next
    for token in re.findall(r"\\[a-zA-Z]+|[a-zA-Z_^{}]|\S", formula):
        if token in "_^":
            expected = True
            continue
        if token == "{":
            depth += 1
            low = depth if expected and low is None else low
        elif token == "}":
            low = None if low == depth else low
            depth -= 1
        elif re.fullmatch(r"[a-zA-Z]", token) or token in GREEK or "mathcal" in token:
            (indices if expected or low is not None else alone).add(token)
        expected = False
    return alone, indices


def rows_of(text):
    """The cells of each row of the tables with the head: symbol."""
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.M):
        rows = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
            for row in table.splitlines()
        ]
        if rows[0][0] == "symbol":
            yield from rows[2:]


def symbols_in(cell):
    """The symbols of one cell, written in one way: ``P^{b}`` is ``P^b``."""
    bare = [re.sub(r"\s|\\,", "", each) for each in re.findall(r"\$([^$]+)\$", cell)]
    bare = [re.sub(r"\{(\w)\}", r"\1", each) for each in bare]
    return [re.sub(r"\(.*\)$", "", each) for each in bare]  # E(xi) is E


def code_in(row):
    """The names of code in a row."""
    named = re.findall(r"`([^`]+)`", " ".join(row[1:]))
    return set(re.findall(r"[a-zA-Z_]\w+", " ".join(named)))


ROWS = list(rows_of(NOTATION))
LISTED = [symbol for row in ROWS for symbol in symbols_in(row[0])]
INDICES = {row[0].strip("$") for row in ROWS if len(row) == 2}
ALONE = set().union(*(letters(symbol)[0] for symbol in LISTED))
BELOW = set().union(*(letters(symbol)[1] for symbol in LISTED)) | INDICES


def test_no_symbol_is_defined_twice():
    twice = {symbol for symbol in LISTED if LISTED.count(symbol) > 1}
    assert not twice, f"defined more than once: {', '.join(sorted(twice))}"


def test_every_symbol_has_words():
    assert len(LISTED) > 80
    for row in ROWS:
        assert re.search(r"[a-z]{3}", row[1]), row


@each
def test_a_chapter_uses_no_letter_that_the_notation_does_not_have(path):
    unknown = {}
    for formula in mathematics(words_of(path)):
        alone, indices = letters(formula)
        strange = (alone - ALONE - INDICES) | (indices - BELOW - ALONE)
        for letter in strange:
            unknown.setdefault(letter, formula.strip()[:60])
    assert not unknown, f"not in book/notation.md: {unknown}"


@each
def test_every_symbol_of_a_chapters_tables_stands_in_the_notation(path):
    used = [s for row in rows_of(words_of(path)) for s in symbols_in(row[0])]
    unknown = [symbol for symbol in used if symbol not in LISTED]
    assert not unknown, f"not in book/notation.md: {', '.join(unknown)}"


@each
def test_a_symbol_names_the_same_code_as_in_the_notation(path):
    of_symbol = {symbol: code_in(row) for row in ROWS for symbol in symbols_in(row[0])}
    for row in rows_of(words_of(path)):
        named = code_in(row[:2])
        for symbol in symbols_in(row[0]):
            listed = of_symbol.get(symbol, set())
            if named and listed:
                assert named & listed, f"{symbol}: {named} here, {listed} there"


def test_letters_are_told_from_words_and_indices():
    formula = r"w^b_{ck} = \softmax(\tfrac{1}{\tau} \text{for } \lambda_\text{bank})"
    assert letters(formula) == ({"w", r"\tau", r"\lambda"}, {"b", "c", "k"})
    assert letters(r"\mathcal{L} \operatorname{mean}_b e^{\beta x_i}") == (
        {r"\mathcalL", "e"},
        {"b", r"\beta", "x", "i"},
    )
    assert mathematics("$a$ and `$no$`\n```{math}\n:label: eq\nb = c\n```\n") == [
        "b = c\n",
        "a",
    ]
