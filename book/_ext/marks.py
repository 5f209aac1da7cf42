"""Places of a page that something computed fills when the book is built."""

import re
from collections.abc import Callable

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def fill_mark(
    app: Sphinx, page: str, mark: str, make: Callable[[], str]
) -> dict[str, bool]:
    """Fill the place that a mark holds on a page; what a ``setup`` returns."""

    def fill(source: str) -> str:
        return source.replace(mark, make()) if mark in source else source

    return fill_pages(app, fill, page)


def fill_pages(app: Sphinx, fill: Callable[[str], str], pages: str) -> dict[str, bool]:
    """Fill the sources of some pages at every build; what a ``setup`` returns.

    Args:
        fill: a page's source in, the filled one out.
        pages: a regular expression of their names, such as ``book/claims``. They are
            read again each time: their source stays where what fills them changes.
    """

    def on_source(app: Sphinx, name: str, source: list[str]) -> None:
        if re.fullmatch(pages, name):
            source[0] = fill(source[0])

    def again(
        app: Sphinx,
        env: BuildEnvironment,
        added: set[str],
        changed: set[str],
        removed: set[str],
    ) -> list[str]:
        return [name for name in env.found_docs if re.fullmatch(pages, name)]

    app.connect("source-read", on_source)
    app.connect("env-get-outdated", again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
