"""MyST, the Markdown of the pages, as the plain Markdown that Jupyter shows."""

import re

FENCE = re.compile(
    r"(?ms)^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\} *(?P<title>[^\n]*)\n"
    r"(?P<body>.*?)\n?^(?P=fence) *$"
)
OPTIONS = re.compile(r"\A(?::[\w-]+:[^\n]*\n?)*")
PLAIN_ROLES = {
    "eq": "the equation below",
    "numref": "the figure `{}` of the chapter",
    "doc": "chapter {}",
}
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]+)`")
EQUATION = re.compile(r"(?ms)^```\{math\}\n:label: (\S+)\n(.*?)\n```")


def equations(texts: list[str]) -> dict[str, str]:
    """The labelled equations of a chapter."""
    return dict(pair for text in texts for pair in EQUATION.findall(text))


def plain(text: str, formulas: dict[str, str]) -> str:
    """A text without directives and roles; equations that it names stand below it.

    Example:
        >>> print(plain("See {doc}`11_results`.\\n\\n```{admonition} Hint\\n"
        ...             ":class: dropdown hint\\nTry.\\n```", {}))
        See chapter 11_results.
        <BLANKLINE>
        <details><summary>Hint</summary>
        <BLANKLINE>
        Try.
        <BLANKLINE>
        </details>
    """
    text = re.sub(r"(?m)^\([\w-]+\)=\n", "", FENCE.sub(_directive, text))
    labels = [m["text"] for m in ROLE.finditer(text) if m["name"] == "eq"]
    shown = [f"$$\n{formulas[label]}\n$$" for label in dict.fromkeys(labels)]
    text = ROLE.sub(_role, text)
    if shown:
        first, _, rest = text.partition("\n<details>")
        text = first.rstrip() + "\n\n" + "\n\n".join(shown) + "\n\n<details>" + rest
    return text


def _directive(match: re.Match[str]) -> str:
    options = re.findall(OPTIONS, match["body"])[0]
    body = FENCE.sub(_directive, match["body"].removeprefix(options)).strip()
    if "dropdown" in options:
        title = match["title"]
        return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
    if match["name"] == "math":
        return f"$$\n{body}\n$$"
    lines = [f"**{match['title']}**", "", *body.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _role(match: re.Match[str]) -> str:
    return PLAIN_ROLES.get(match["name"], "{}").format(match["text"].split(" <")[0])
