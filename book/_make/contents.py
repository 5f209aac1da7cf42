"""What is in the book: the pages that ``_toc.yml`` names."""

from pathlib import Path

from sphinx_external_toc.parsing import parse_toc_yaml

from mpcl.provenance import ROOT


class BookError(Exception):
    """Why the book cannot be made, in words for the person who ran the command."""


def pages(root: Path = ROOT) -> list[str]:
    """The pages of the book in reading order, such as ``book/index``: no suffix."""
    return list(parse_toc_yaml(root / "_toc.yml"))


def chapters(root: Path = ROOT) -> list[Path]:
    """The notebooks among the pages, in reading order.

    Raises:
        BookError: for a page that is neither a notebook nor a text.
    """
    notebooks: list[Path] = []
    for name in pages(root):
        page = root / name
        if page.with_suffix(".ipynb").exists():
            notebooks.append(page.with_suffix(".ipynb"))
        elif not page.with_suffix(".md").exists():
            raise BookError(
                f"_toc.yml names {name}, but there is no such .ipynb or .md file"
            )
    return notebooks
