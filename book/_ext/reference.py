"""The reference page, quoted source, and what a glossary term means where it is used.

The reference page says ``<!-- modules -->``; in its place comes a section for each
module that the package has, so that none can be forgotten.
"""

import pkgutil
from importlib.util import find_spec

from docutils import nodes
from docutils.nodes import Node
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralInclude

from book._ext.marks import fill_mark
from book._make.quote import without_docstrings

PAGE, MARK, PACKAGE = "book/api", "<!-- modules -->", "mpcl"
ORDER = (  # of the rooms, as data walk through them
    "data",
    "simulation",
    "normalisation",
    "splits",
    "model",
    "training",
    "evaluation",
    "figures",
    "notebook",
    "teaching",
    "laboratory",
    "files",
    "provenance",
    "errors",
)
SECTION = """
## `{name}`

```{{eval-rst}}
.. automodule:: {name}
   :members:
```
"""


def modules() -> list[str]:
    """The package's modules in reading order, without those that only hold others."""
    spec = find_spec(PACKAGE)
    assert spec and spec.submodule_search_locations
    names = [
        module.name
        for module in pkgutil.walk_packages(
            spec.submodule_search_locations, f"{PACKAGE}."
        )
        if not module.ispkg and not module.name.endswith("__main__")
    ]
    return sorted(names, key=_place)


def _place(name: str) -> int:
    room = name.split(".")[1]
    return ORDER.index(room) if room in ORDER else len(ORDER)


def sections() -> str:
    """A section of the reference page for each module."""
    return "".join(SECTION.format(name=name) for name in modules())


class Quote(LiteralInclude):
    """``literalinclude`` that shows a ``:pyobject:`` without its longer docstrings."""

    # pyrefly: ignore[missing-override-decorator] - new in Python 3.12
    def run(self) -> list[Node]:
        shown = super().run()
        selecting = {"lines", "start-after", "end-before", "start-at", "end-at"}
        if "pyobject" in self.options and not selecting & self.options.keys():
            for node in shown:
                for block in node.findall(nodes.literal_block):
                    text = without_docstrings(block.astext())
                    block.rawsource = text
                    block.children = []
                    block += nodes.Text(text)
        return shown


def keep_bars(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Docstrings write |x| for a size, another thing in reStructuredText."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = line.split("``")  # every second one is code
            pieces[::2] = [piece.replace("|", "\\|") for piece in pieces[::2]]
            lines[number] = "``".join(pieces)


def read_glossary(app: Sphinx, tree: nodes.document) -> None:
    """Keep the definitions of a page's glossary, by the name that links use."""
    definitions = vars(app.env).setdefault("definitions", {})
    for glossary in tree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            texts = [each.astext() for each in item.findall(nodes.definition)]
            for term in item.findall(nodes.term):
                for name in term["ids"]:
                    definitions[name] = " ".join(texts).replace("\n", " ")


def explain_terms(app: Sphinx, tree: nodes.document, page: str) -> None:
    """A pointer held over a glossary term shows its definition."""
    definitions = getattr(app.env, "definitions", {})
    for link in tree.findall(nodes.reference):
        name = link.get("refid") or link.get("refuri", "").partition("#")[2]
        if name in definitions:
            link["reftitle"] = definitions[name]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("literalinclude", Quote, override=True)
    fill_mark(app, PAGE, MARK, sections)
    app.connect("autodoc-process-docstring", keep_bars)
    app.connect("doctree-read", read_glossary)
    app.connect("doctree-resolved", explain_terms)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
