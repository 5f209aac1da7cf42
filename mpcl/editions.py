"""The rendered book in two other forms: one PDF of all pages, and slides of a chapter.

Both are made from the HTML pages that :mod:`mpcl.notebooks` rendered, so that mathematics, figures and
numbers are the same. ::

    python -m mpcl.editions pdf                               _build/mpcl-book.pdf, needs chromium
    python -m mpcl.editions slides [04_associative_memory]    _build/html/slides/, needs a browser to be shown

A slide is a cell with the tag ``slide``; a code cell so tagged right after a text cell joins its slide.
"""

import argparse
import copy
import posixpath
import shutil
import sys
from importlib.metadata import files
from pathlib import Path

from bs4 import BeautifulSoup, Comment

from mpcl.notebooks import ROOT, BookError, build, chapters, pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
NOT_FOR_PAPER = ".headerlink, .copybtn, .taken, noscript, details.above-input, script:not([src])"
LINKED = {"a": "href", "img": "src", "script": "src", "link": "href", "source": "srcset"}
FIT = """const fit = () => { // what is too tall for a slide is shown smaller
  const slide = Reveal.getCurrentSlide();
  slide.style.zoom = 1;
  slide.style.zoom = Math.min(1, slide.clientHeight / slide.scrollHeight);
};
Reveal.on("slidechanged", fit);
Reveal.initialize({width: 1280, height: 720, margin: 0.04, hash: true, slideNumber: "c/t", center: false,
  transition: "none"}).then(() => window.MathJax?.startup?.promise).then(fit);"""
FOOT = '<div style="width:100%;text-align:center;font-size:8px;color:#555"><span class="pageNumber"></span></div>'


def article(html, name, to=""):
    """The text of one rendered page, its addresses made relative to another place.

    Args:
        html: folder of the rendered book.
        name: page, such as ``book/index``.
        to: folder under ``html`` from which the text will be shown.

    Returns:
        tuple (the element, the head of the page), of BeautifulSoup.
    """
    soup = BeautifulSoup((Path(html) / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    for tag, key in LINKED.items():
        for element in soup.find_all(tag, **{key: True}):
            address = element[key]
            if not address.startswith(("#", "http:", "https:", "mailto:", "data:")):
                element[key] = posixpath.relpath(posixpath.join(posixpath.dirname(name), address), to or ".")
    return soup.select_one("article.bd-article"), soup.head


def head_of(head, sheet):
    """What a text needs of its page's head: style sheets and mathematics."""
    kept = [element for element in head.find_all("link", rel="stylesheet")]
    kept += [script for script in head.find_all("script")
             if "MathJax" in (script.string or "") or "mathjax" in script.get("src", "")]
    return "\n".join(map(str, kept)) + f'\n<link rel="stylesheet" href="{sheet}">'


# One PDF ------------------------------------------------------------------------------------------


def one_page(html, names, title):
    """All pages after one another, as one page whose links lead from one to the other.

    Args:
        html: folder of the rendered book.
        names: pages in reading order.
        title: of the book.

    Returns:
        str of HTML, to be shown from the folder ``html``.
    """
    anchor = {f"{name}.html": name.replace("/", "-") for name in names}
    texts, contents, heads = [], [], []
    for name in names:
        text, head = article(html, name)
        heads.append(head_of(head, "_static/paper.css"))
        own = anchor[f"{name}.html"]
        for element in text.select(NOT_FOR_PAPER):
            element.decompose()
        for element in text.find_all(id=True):
            element["id"] = f"{own}--{element['id']}"
        for element in text.find_all("details"):
            element["open"] = ""
        for link in text.find_all("a", href=True):
            page, _, place = link["href"].partition("#")
            if not page or page in anchor:
                link["href"] = f"#{anchor.get(page, own)}" + f"--{place}" * bool(place)
            elif not page.startswith(("http", "mailto")):
                link.unwrap()
        texts.append(f'<article class="bd-article" id="{own}">{text.decode_contents()}</article>')
        contents.append(f'<li><a href="#{own}">{text.h1.get_text().strip()}</a></li>')
    return (f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>'
            f'{max(heads, key=len)}</head><body><main class="bd-main"><div class="bd-content">'
            f'<header class="cover"><p class="cover-title">{title}</p><ol>{"".join(contents)}</ol></header>'
            f'{"".join(texts)}</div></main></body></html>')


def pdf(html, names, out, title):
    """Print pages of the rendered book into one PDF with numbered pages and an outline.

    Args:
        html: folder of the rendered book.
        names: pages in reading order.
        out: file.
        title: of the book.

    Raises:
        BookError: without a browser, or if mathematics or a picture did not come out.
    """
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        raise BookError("a PDF is printed by a browser: install chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    whole, part = Path(html) / "whole.html", Path(out).with_name(Path(out).name + ".part")
    whole.write_text(one_page(html, names, title), encoding="utf-8")
    try:
        with sync_playwright() as started:
            page = started.chromium.launch(executable_path=program, args=FLAGS).new_page(color_scheme="light")
            page.set_default_timeout(300_000)
            page.goto(whole.as_uri(), wait_until="load")
            page.evaluate("() => window.MathJax?.startup?.promise")
            page.evaluate("() => Promise.all([...document.images].map(i => i.decode(i.loading = 'eager')))")
            if page.locator("mjx-merror").count() or page.locator(".math:not(:has(mjx-container))").count():
                raise BookError("the PDF was not written: a formula did not come out")
            page.pdf(path=part, format="A4", print_background=True, tagged=True, outline=True, footer_template=FOOT,
                     display_header_footer=True, header_template="<i></i>",
                     margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"})
        part.replace(out)
    finally:
        whole.unlink()
        part.unlink(missing_ok=True)


# Slides -------------------------------------------------------------------------------------------


def slide_parts(text):
    """The slides in the text of a rendered chapter, see :func:`mpcl.notebooks.stage` for the marks.

    Args:
        text: element of BeautifulSoup.

    Returns:
        list of slides, each a list of elements.

    Example:
        >>> page = BeautifulSoup("<p>no</p><!-- slide --><p>yes</p><!-- end of slide --><p>no</p>", "html.parser")
        >>> slide_parts(page)
        [[<p>yes</p>]]
    """
    for section in text.find_all("section"):
        section.unwrap()
    found, open_slide, last = [], False, None
    for node in list(text.children):
        mark = node.strip() if isinstance(node, Comment) else ""
        if mark == "slide":
            found, open_slide, last = [*found, []], True, "text"
        elif mark == "end of slide":
            open_slide = False
        elif open_slide:
            found[-1].append(node)
        elif "tag_slide" in (getattr(node, "attrs", None) or {}).get("class", []):
            found += [] if last == "text" else [[]]
            found[-1].append(node)
            last = "code"
        elif str(node).strip():
            last = None
    return found


def slides(html, name):
    """Write the slides of a chapter as a page of reveal.js.

    Args:
        html: folder of the rendered book.
        name: page, such as ``book/04_associative_memory``.

    Returns:
        int, how many slides; without any nothing is written.
    """
    text, head = article(html, name, "slides")
    title = text.h1.get_text().strip().rstrip("#")
    for element in text.select(".headerlink, .copybtn, details.above-input"):
        element.decompose()
    parts = slide_parts(copy.copy(text))
    if not parts:
        return 0
    for file in files("sphinx-revealjs"):  # its copy of reveal.js 5 (MIT)
        if file.as_posix().endswith(("revealjs/dist/reveal.js", "revealjs/dist/reveal.css", "revealjs/LICENSE")):
            (Path(html) / "_static" / "reveal").mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), Path(html) / "_static" / "reveal" / file.name)
    shown = "\n".join(f"<section>{''.join(map(str, part))}</section>" for part in parts)
    out = Path(html) / "slides" / f"{posixpath.basename(name)}.html"
    out.parent.mkdir(exist_ok=True)
    out.write_text(f"""<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="stylesheet" href="../_static/reveal/reveal.css">{head_of(head, "../_static/slides.css")}</head>
<body><div class="reveal"><div class="slides bd-article">{shown}</div></div>
<script src="../_static/reveal/reveal.js"></script>
<script>{FIT}</script></body></html>""", encoding="utf-8")
    return len(parts)


def main(arguments=None):
    """The command line: ``pdf`` or ``slides``; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mpcl.editions", description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["pdf", "slides"])
    parser.add_argument("chapter", nargs="*", help="slides: chapters, by default all")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="notebooks at a time (default 2)")
    chosen = parser.parse_intermixed_args(arguments)
    known = [path.stem for path in chapters()]
    place = ROOT / "_build"
    try:
        unknown = set(chosen.chapter) - set(known)
        if unknown:
            raise BookError(f"there is no chapter {min(unknown)!r}; choose from {', '.join(known)}")
        build(chosen.jobs)
        if chosen.what == "pdf":
            pdf(place / "html", pages(), place / "mpcl-book.pdf", "Mixed emotions, measured")
            print(f"The book as one PDF: {place / 'mpcl-book.pdf'}")
        for name in (chosen.chapter or known) if chosen.what == "slides" else ():
            number = slides(place / "html", f"book/{name}")
            print(f"{name}: {number} slides, {place / 'html' / 'slides' / name}.html" if number else
                  f"{name}: no cell has the tag 'slide', so there are no slides")
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
