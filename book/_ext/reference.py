"""List the modules on the reference page, and show what a glossary term means where it is used.

The reference page says ``<!-- modules -->``; in its place comes a section for each module that the
package has, so that none can be forgotten.
"""

import pkgutil
from importlib.util import find_spec

from docutils import nodes
from sphinx import addnodes

PAGE, MARK, PACKAGE = "book/api", "<!-- modules -->", "mpcl"
ORDER = ("data", "normalisation", "splits", "model", "training", "evaluation", "profiles", "figures")
SECTION = """
## `{name}`

```{{eval-rst}}
.. automodule:: {name}
   :members:
```
"""


def modules():
    """Names of the package's modules in reading order, without the packages that only hold them."""
    found = pkgutil.walk_packages(find_spec(PACKAGE).submodule_search_locations, f"{PACKAGE}.")
    names = [module.name for module in found if not module.ispkg and not module.name.endswith("__main__")]
    return sorted(names, key=lambda name: (ORDER + (name.split(".")[1],)).index(name.split(".")[1]))


def list_modules(app, page, source):
    if page == PAGE:
        source[0] = source[0].replace(MARK, "".join(SECTION.format(name=name) for name in modules()))


def keep_bars(app, kind, name, thing, options, lines):
    """Docstrings write |x| for a size, which reStructuredText would take for something else."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = line.split("``")  # every second one is code
            pieces[::2] = [piece.replace("|", "\\|") for piece in pieces[::2]]
            lines[number] = "``".join(pieces)


def read_glossary(app, tree):
    """Keep the definitions of a page's glossary, by the name that links use."""
    if not hasattr(app.env, "definitions"):
        app.env.definitions = {}
    for glossary in tree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            text = " ".join(part.astext() for part in item.findall(nodes.definition)).replace("\n", " ")
            app.env.definitions.update({name: text for term in item.findall(nodes.term) for name in term["ids"]})


def explain_terms(app, tree, page):
    """A pointer held over a glossary term shows its definition."""
    for link in tree.findall(nodes.reference):
        name = link.get("refid") or link.get("refuri", "").partition("#")[2]
        if name in getattr(app.env, "definitions", {}):
            link["reftitle"] = app.env.definitions[name]


def setup(app):
    app.connect("source-read", list_modules)
    app.connect("autodoc-process-docstring", keep_bars)
    app.connect("doctree-read", read_glossary)
    app.connect("doctree-resolved", explain_terms)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
