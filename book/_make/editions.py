"""The rendered book in two other forms: one PDF of all pages, and slides of chapters.

Both are made from the pages that :mod:`book._make.chapters` rendered, so that formulas,
figures and numbers are the same. ::

    python -m book._make.editions pdf        _build/mpcl-book.pdf, needs chromium
    python -m book._make.editions slides     _build/html/slides/, shown by any browser
    python -m book._make.editions slides 04_associative_memory     of one chapter

A slide is a cell with the tag ``slide``; a code cell so tagged right after a text cell
joins its slide. The questions of the chapter's quiz follow. The speaker's view (key S)
says how long a slide is likely to take, and has the answers with their reasons.
"""

import argparse
import copy
import posixpath
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import files
from pathlib import Path

from bs4 import BeautifulSoup, Comment, PageElement, Tag

from book._make.chapters import build
from book._make.contents import BookError, chapters, pages
from mpcl.files import whole, write_text
from mpcl.provenance import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
NOT_FOR_PAPER = (
    ".headerlink, .copybtn, .taken, noscript, details.above-input, script:not([src])"
)
FOLDED = ".tag_hide-cell:not(.tag_solution) details .cell_output"
LINKED = {
    "a": "href",
    "img": "src",
    "script": "src",
    "link": "href",
    "source": "srcset",
}
ELSEWHERE = ("#", "http:", "https:", "mailto:", "data:")
DRAWN = "() => window.MathJax?.startup?.promise"
DECODED = """() => Promise.all(
  [...document.images].map(image => image.decode(image.loading = 'eager')))"""
FOOT = (
    '<div style="width:100%;text-align:center;font-size:8px;color:#555">'
    '<span class="pageNumber"></span></div>'
)
REVEAL = (
    "revealjs/dist/reveal.js",
    "revealjs/dist/reveal.css",
    "revealjs/plugin/notes/notes.js",
    "revealjs/LICENSE",
)
WORDS = 60  # of a slide that are gone through in a minute, with what is said about them
NOTES = '<section>{slide}<aside class="notes">{notes}</aside></section>'
BOOK = """<!doctype html><html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{title}</title>{head}</head>
<body><main class="bd-main"><div class="bd-content"><header class="cover">
<p class="cover-title">{title}</p><ol>{contents}</ol></header>{texts}</div></main>
</body></html>"""
SLIDES = """<!doctype html><html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="../_static/reveal/reveal.css">{head}</head>
<body><div class="reveal"><div class="slides bd-article">{slides}</div></div>
<script src="../_static/reveal/reveal.js"></script>
<script src="../_static/reveal/notes.js"></script>
<script>const fit = () => {{ // what is too tall for a slide is shown smaller
  const slide = Reveal.getCurrentSlide();
  slide.style.zoom = 1;
  slide.style.zoom = Math.min(1, slide.clientHeight / slide.scrollHeight);
}};
Reveal.on("slidechanged", fit);
Reveal.initialize({{width: 1280, height: 720, margin: 0.04, hash: true,
  slideNumber: "c/t", center: false, transition: "none", plugins: [RevealNotes]}})
  .then(() => window.MathJax?.startup?.promise).then(fit);</script></body></html>"""


def article(html: Path, name: str, to: str = "") -> tuple[Tag, Tag]:
    """The text and the head of one rendered page, such as ``book/index``.

    Addresses are made relative to ``to``, a folder under ``html`` where it is shown.
    """
    page = (html / f"{name}.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(page, "html.parser")
    for tag, key in LINKED.items():
        for element in soup.find_all(tag, attrs={key: True}):
            address = str(element[key])
            if not address.startswith(ELSEWHERE):
                place = posixpath.join(posixpath.dirname(name), address)
                element[key] = posixpath.relpath(place, to or ".")
    text, head = soup.select_one("article.bd-article"), soup.head
    assert text and head, f"{name} is no page of the book"
    return text, head


def head_of(head: Tag, sheet: str) -> str:
    """What a text needs of its page's head: style sheets and mathematics."""
    kept = [str(element) for element in head.find_all("link", rel="stylesheet")]
    for script in head.find_all("script"):
        if "MathJax" in (script.string or "") or "mathjax" in str(script.get("src")):
            kept.append(str(script))
    return "\n".join([*kept, f'<link rel="stylesheet" href="{sheet}">'])


# One PDF ------------------------------------------------------------------------------


def _for_paper(text: Tag, anchor: str, anchors: Mapping[str, str]) -> None:
    """Make a page's text part of one long page: its ids, links and folded answers."""
    for output in text.select(FOLDED):  # it cannot be opened on paper
        details = output.find_parent("details")
        assert details
        title = details.select_one("summary .collapsed")
        if title:
            words = title.get_text().removeprefix("Show ")
            title.string = f"{words[:1].upper()}{words[1:]}:"
            details.insert_before(title)
        details.insert_before(output)
    for element in text.select(NOT_FOR_PAPER):
        element.decompose()
    for element in text.find_all(id=True):
        element["id"] = f"{anchor}--{element['id']}"
    for element in text.find_all("details"):
        element["open"] = ""
    for link in text.find_all("a", href=True):
        page, _, place = str(link["href"]).partition("#")
        if not page or page in anchors:
            target = anchors.get(page, anchor)
            link["href"] = f"#{target}--{place}" if place else f"#{target}"
        elif not page.startswith(("http", "mailto")):
            link.unwrap()


def title_of(text: Tag) -> str:
    """The title of a page, without the sign that links to it."""
    assert text.h1
    return text.h1.get_text().strip().rstrip("#")


def one_page(html: Path, names: Sequence[str], title: str) -> str:
    """Pages after one another as one page, whose links lead from one to the other.

    To be shown from the folder ``html``.
    """
    anchors = {f"{name}.html": name.replace("/", "-") for name in names}
    texts, contents, head_used = "", "", ""
    for name in names:
        text, head = article(html, name)
        head_here = head_of(head, "_static/paper.css")
        head_used = max(head_used, head_here, key=len)  # one with mathematics
        anchor = anchors[f"{name}.html"]
        _for_paper(text, anchor, anchors)
        inner = text.decode_contents()
        texts += f'<article class="bd-article" id="{anchor}">{inner}</article>'
        contents += f'<li><a href="#{anchor}">{title_of(text)}</a></li>'
    return BOOK.format(title=title, head=head_used, contents=contents, texts=texts)


def pdf(html: Path, names: Sequence[str], out: Path, title: str) -> None:
    """Print pages of the rendered book into one PDF with page numbers and an outline.

    Raises:
        BookError: without a browser, or if a formula or a picture did not come out.
    """
    programs = [path for path in map(shutil.which, BROWSERS) if path]
    if not programs:
        raise BookError(
            "a PDF is printed by a browser: "
            "install chromium (Debian: apt-get install chromium)"
        )
    page = html / "whole.html"
    write_text(one_page(html, names, title), page)
    try:
        with whole(out) as part:
            _print(programs[0], page, part)
    finally:
        page.unlink()


def _print(program: str, source: Path, out: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(300_000)
        page.goto(source.as_uri(), wait_until="load")
        page.evaluate(DRAWN)
        page.evaluate(DECODED)
        undrawn = page.locator("mjx-merror, .math:not(:has(mjx-container))")
        if undrawn.count():
            raise BookError("the PDF was not written: a formula did not come out")
        page.pdf(
            path=out,
            format="A4",
            print_background=True,
            tagged=True,
            outline=True,
            footer_template=FOOT,
            display_header_footer=True,
            header_template="<i></i>",
            margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
        )


# Slides -------------------------------------------------------------------------------


def slide_parts(text: Tag) -> list[list[PageElement]]:
    """The slides in the text of a rendered chapter, each a list of elements.

    The marks of text are those of :func:`book._make.render.mark_slides`.

    >>> page = "<p>no</p><!-- slide --><p>yes</p><!-- end of slide --><p>no</p>"
    >>> slide_parts(BeautifulSoup(page, "html.parser"))
    [[<p>yes</p>]]
    """
    for section in text.find_all("section"):
        section.unwrap()
    slides: list[list[PageElement]] = []
    is_open, joins = False, False  # in a slide; and whether code joins the last one
    for node in list(text.children):
        if isinstance(node, Comment):
            if node.strip() == "slide":
                slides.append([])
                is_open, joins = True, True
            elif node.strip() == "end of slide":
                is_open = False
        elif is_open:
            slides[-1].append(node)
        elif isinstance(node, Tag) and "tag_slide" in node.get_attribute_list("class"):
            if not joins:
                slides.append([])
            slides[-1].append(node)
            joins = False
        elif str(node).strip():
            joins = False
    return slides


def minutes(part: Sequence[PageElement]) -> str:
    """How long a slide is likely to take: a guess by its words, said to be one."""
    words = sum(len(element.get_text().split()) for element in part)
    return f"About {1 + round(words / WORDS)} min, guessed from {words} words."


def questions(text: Tag) -> list[str]:
    """A slide for each question of a chapter's quiz, its answers in the notes."""
    asked: list[str] = []
    for question in copy.copy(text).select(".quiz-question"):
        answers = question.select_one("details")
        notes = answers.extract().select_one("ol") if answers else ""
        notes = f"<p>About 3 min: vote, talk in pairs, vote again.</p>{notes}"
        asked.append(NOTES.format(slide=f"<h2>Question</h2>{question}", notes=notes))
    return asked


def slides(html: Path, name: str) -> int:
    """Write the slides of a chapter, such as ``book/02_signals``, with reveal.js.

    Returns how many; without any nothing is written.
    """
    text, head = article(html, name, "slides")
    title = title_of(text)
    for element in text.select(".headerlink, .copybtn, details.above-input"):
        element.decompose()
    sections = [
        NOTES.format(slide="".join(map(str, part)), notes=f"<p>{minutes(part)}</p>")
        for part in slide_parts(copy.copy(text))
    ]
    if not sections:
        return 0
    sections += questions(text)
    to = html / "_static" / "reveal"
    to.mkdir(parents=True, exist_ok=True)
    for file in files("sphinx-revealjs") or ():  # its copy of reveal.js 5 (MIT)
        if file.as_posix().endswith(REVEAL):
            shutil.copy(str(file.locate()), to / file.name)
    page = SLIDES.format(
        title=title,
        head=head_of(head, "../_static/slides.css"),
        slides="\n".join(sections),
    )
    write_text(page, html / "slides" / f"{posixpath.basename(name)}.html")
    return len(sections)


def make_slides(html: Path, names: Sequence[str]) -> None:
    """Write the slides of chapters, with a line for each."""
    for name in names:
        number = slides(html, f"book/{name}")
        if number:
            print(f"{name}: {number} slides, {html / 'slides' / name}.html")
        else:
            print(f"{name}: no cell has the tag 'slide', so there are no slides")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: ``pdf`` or ``slides``."""
    parser = argparse.ArgumentParser(
        prog="python -m book._make.editions",
        description="The book as one PDF, or chapters as slides.",
    )
    parser.add_argument("what", choices=["pdf", "slides"])
    parser.add_argument("chapter", nargs="*", help="slides: chapters, by default all")
    parser.add_argument(
        "-j", "--jobs", type=int, default=2, help="notebooks at a time (default 2)"
    )
    chosen = parser.parse_intermixed_args(arguments)
    names = [path.stem for path in chapters()]
    html, out = ROOT / "_build" / "html", ROOT / "_build" / "mpcl-book.pdf"
    try:
        unknown = set(chosen.chapter) - set(names)
        if unknown:
            raise BookError(
                f"there is no chapter {min(unknown)!r}; choose from {', '.join(names)}"
            )
        build(chosen.jobs)
        if chosen.what == "pdf":
            pdf(html, pages(), out, "Mixed emotions, measured")
            print(f"The book as one PDF: {out}")
        else:
            make_slides(html, chosen.chapter or names)
    except BookError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
