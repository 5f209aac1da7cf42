"""Let the rendered book work without the internet.

MathJax 3.2.2 (Apache-2.0) comes from the PyPI package sphinx-mathjax-offline; its one
file ``tex-svg.js`` draws with outlines and needs no font files. The scripts of
sphinx-thebe, which would fetch a kernel from afar, are dropped: nothing uses them.
"""

from importlib.metadata import files
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.fileutil import copy_asset

PACKAGE, SCRIPT = "sphinx-mathjax-offline", "tex-svg.js"


def use_own_mathjax(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{SCRIPT}"


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        scripts = [file for file in files(PACKAGE) or () if file.name == SCRIPT]
        place = Path(app.outdir, "_static", "mathjax")
        copy_asset(str(scripts[0].locate()), str(place))


def _of_thebe(file: object) -> bool:
    body = getattr(file, "attributes", {}).get("body") or ""
    return "THEBE_JS_URL" in body or "thebe" in str(getattr(file, "filename", file))


def drop_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if not _of_thebe(file)]


def drop_source_maps(app: Sphinx, error: Exception | None) -> None:
    """Maps for whoever debugs the theme's scripts: megabytes that no page asks for."""
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.map"):
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", use_own_mathjax)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_source_maps)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
