"""What a page offers its reader beside the text: what was run to make it, ready to be taken along.

Each chapter ends with links to its notebook and to the data behind its figures: the committed
netCDF files that its code reads, and the scores among them as CSV, compressed. Where ``BOOK_REPOSITORY`` names a
public address of this repository, chapters get buttons that open them there; nobody has tried these yet.
"""

import os
from pathlib import Path

import xarray as xr
from sphinx.util.fileutil import copy_asset

from mpcl.freshness import read_data

FOLDER = "_static/data"
BOX = '<div class="taken"><p>Behind this page: {}.</p></div>'
LINK = '<a href="{}" download>{}</a>'


def copy_data(file, to):
    """Lay a data file down beside the pages; returns the names under which it can be had."""
    copy_asset(str(file), str(to))
    if file.parent.name != "results" or file.suffix == ".csv":
        return [file.name]
    scores = xr.load_dataset(file, engine="h5netcdf").score.to_series().dropna()
    name = f"{file.stem}.csv.gz"  # a hundred thousand rows
    scores.to_csv(to / name, float_format="%.6g", compression={"method": "gzip", "mtime": 0})
    return [file.name, name]


def offer_downloads(app, page, template, context, doctree):
    if "body" not in context or app.builder.format != "html":
        return
    # docutils calls this a list, but gives it no list items
    context["body"] = context["body"].replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    chapter = Path(app.srcdir, f"{page}.ipynb")
    if chapter.exists():
        up, to = "../" * page.count("/"), Path(app.outdir, FOLDER)
        names = [name for file in read_data(chapter) if file.suffix in (".nc", ".csv") for name in copy_data(file, to)]
        links = [LINK.format(f"{up}_sources/{page}.ipynb", "the notebook as it was run")]
        links += [LINK.format(f"{up}{FOLDER}/{name}", name) for name in names]
        context["body"] += BOX.format(", ".join(links))


def offer_launch(app, config):
    if address := os.environ.get("BOOK_REPOSITORY"):
        config.html_theme_options |= {
            "repository_url": address, "repository_branch": "main", "path_to_docs": "", "use_repository_button": True,
            "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org",
                               "colab_url": "https://colab.research.google.com"}}


def mark_untested(app, page, template, context, doctree):
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["text"] += " (untested)"


def setup(app):
    app.connect("config-inited", offer_launch)
    app.connect("html-page-context", mark_untested, priority=900)
    app.connect("html-page-context", offer_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
