"""What a page offers beside the text: what was run to make it, to be taken along.

Each chapter ends with links to its notebook and to the data behind it: the committed
files that its cells name. Where ``BOOK_REPOSITORY`` names a public address of this
repository, chapters get buttons that open them there; nobody has tried these yet.
"""

import os
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.fileutil import copy_asset

from book._make.fresh import read_data

FOLDER = "_static/data"
BOX = '<div class="taken"><p>Behind this page: {}.</p></div>'
LINK = '<a href="{}" download>{}</a>'
# docutils calls this a list, but gives it no list items
CITED = '<div role="list" class="citation-list">', '<div class="citation-list">'
# a screen reader would read this in place of the words that stand there
UNNAMED = ' aria-label="Toggle hidden content"'


def offer_downloads(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    if "body" not in context or app.builder.format != "html":
        return
    context["body"] = context["body"].replace(*CITED).replace(UNNAMED, "")
    chapter = Path(app.srcdir, f"{page}.ipynb")
    if not chapter.exists():
        return
    up, to = "../" * page.count("/"), Path(app.outdir, FOLDER)
    links = [LINK.format(f"{up}_sources/{page}.ipynb", "the notebook as it was run")]
    for file in read_data(chapter):
        if file.suffix in (".nc", ".csv"):
            copy_asset(str(file), str(to))
            links.append(LINK.format(f"{up}{FOLDER}/{file.name}", file.name))
    context["body"] += BOX.format(", ".join(links))


def offer_launch(app: Sphinx, config: Config) -> None:
    if address := os.environ.get("BOOK_REPOSITORY"):
        config.html_theme_options |= {
            "repository_url": address,
            "repository_branch": "main",
            "path_to_docs": "",
            "use_repository_button": True,
            "launch_buttons": {
                "notebook_interface": "jupyterlab",
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            },
        }


def mark_untested(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["text"] += " (untested)"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", offer_launch)
    app.connect("html-page-context", mark_untested, priority=900)
    app.connect("html-page-context", offer_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
