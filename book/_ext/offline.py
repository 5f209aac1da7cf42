"""Let the rendered book work without the internet.

MathJax 3.2.2 (Apache-2.0) comes from the PyPI package sphinx-mathjax-offline; its one file
``tex-svg.js`` draws with outlines and needs no font files. The scripts of sphinx-thebe, which
would fetch a kernel from afar, are dropped: nothing here uses them.
"""

from importlib.metadata import files
from pathlib import Path

from sphinx.util.fileutil import copy_asset

PACKAGE, SCRIPT = "sphinx-mathjax-offline", "tex-svg.js"


def use_own_mathjax(app, config):
    config.mathjax_path = f"mathjax/{SCRIPT}"


def copy_mathjax(app, error):
    if error is None and app.builder.format == "html":
        source = next(file for file in files(PACKAGE) if file.name == SCRIPT).locate()
        copy_asset(str(Path(source)), str(Path(app.outdir) / "_static" / "mathjax"))


def drop_thebe(app, page, template, context, doctree):
    def of_thebe(file):
        body = getattr(file, "attributes", {}).get("body") or ""
        return "THEBE_JS_URL" in body or "thebe" in str(getattr(file, "filename", file))

    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if not of_thebe(file)]


def setup(app):
    app.connect("config-inited", use_own_mathjax)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
