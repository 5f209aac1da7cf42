"""The rendered book, opened as a reader opens it: from a file, without the internet.

Every page on two screens, and by the rules of axe, is heavy; ``make test`` opens one of
each shape.
"""

import inspect
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from pypdf import PdfReader

from book._make import editions
from book._make.chapters import row
from book._make.contents import chapters, pages
from book._make.editions import one_page, pdf, slides
from book._make.fresh import clean, code_cells, read_data, read_notebook
from book._make.quote import without_docstrings
from book._make.render import render, stage
from mpcl.evaluation.metrics import METRICS
from mpcl.evaluation.results import read
from mpcl.figures import plots as figures
from mpcl.model.memory import energy, retrieve
from mpcl.provenance import ROOT

SIZES = {"laptop": (1280, 800), "phone": (390, 844)}
HARMLESS = [  # Sphinx's search, opened from a file, may not read pages: titles alone
    "Failed to execute 'appendChild' on 'Node'",
    "Access to fetch at 'file:",
    "Failed to load resource: net::ERR_FAILED",
    "Failed to fetch",
]
SEVERE = ("serious", "critical")
FORMULAS = ["mjx-container svg"]  # MathML is read aloud
CODE = [".highlight pre > span"]  # one page is enough for it
MODULES = [".bd-article section section:nth-of-type(n+4)"]  # all are made alike
RULES = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},
}
SHOWN = "04_associative_memory"
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll('.bd-article *, footer *')].filter(
    element => element.getBoundingClientRect().right > width + 1);
  const name = e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 60)}`;
  return ['page', ...wide.map(name).slice(0, 8)];
}"""
PICTURES = """() => Promise.all([...document.images].map(async image => {
  image.loading = 'eager';
  await image.decode().catch(() => null);
  const drawn = image.naturalWidth > 0;
  return {of: image.getAttribute('src'), drawn, alt: image.alt.trim()};
}))"""
VALUES = """() => Object.fromEntries(
  [...document.querySelectorAll('.try [data-of]')].map(
    cell => [cell.dataset.of, [+cell.dataset.value, cell.textContent]]))"""
MOVE = """(slider, to) => {
  slider.value = to;
  slider.dispatchEvent(new Event('input'));
}"""
HERE = ("file:", "data:", "blob:", "about:")
SHAPES = {
    "landing": "book/index",
    "chapter": "book/04_associative_memory",
    "table": "book/claims",
    "try": "book/try_energy",
}


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The book rendered from the committed notebooks; a warning is an error."""
    place = tmp_path_factory.mktemp("book")
    notebooks = {path: clean(read_notebook(path)) for path in chapters()}
    cells = next(nb for path, nb in notebooks.items() if path.stem == SHOWN).cells
    figure = next(
        number
        for number, (words, cell) in enumerate(pairwise(cells), 1)
        if "figure" in cell.metadata.get("mystnb", {})
        and words.source.startswith("## ")
    )
    for cell in (
        cells[0],
        *cells[figure - 1 : figure + 1],
    ):  # the title, and words with a figure
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "slide"]
    rows = [row(path, notebook, None) for path, notebook in notebooks.items()]
    stage(place / "stage", notebooks, rows)
    render(place / "stage", place / "html")
    return place / "html"


class Visit:
    """One page on one screen, and what it did: requests to the outside and errors."""

    def __init__(self, browser, address, size):
        width, height = SIZES[size]
        self.outside, self.errors = [], []
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="light"
        )
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.page.route(
            re.compile(r"^(?!file:|data:|blob:)"), lambda route: route.abort()
        )
        self.page.on(
            "request",
            lambda request: (
                request.url.startswith(HERE) or self.outside.append(request.url)
            ),
        )
        self.page.on(
            "console",
            lambda message: message.type == "error" and self.complain(message.text),
        )
        self.page.on("pageerror", lambda error: self.complain(str(error)))
        self.page.goto(address)

    def complain(self, text):
        if not any(harmless in text for harmless in HARMLESS):
            self.errors.append(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def too_wide(self):
        """What reaches over the right edge, if the page can be moved sideways."""
        return self.page.evaluate(TOO_WIDE)


def heavy_but_for_shapes(names):
    """Pages as parameters, of which ``make test`` opens one of each shape."""
    return [
        name if name in SHAPES.values() else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", heavy_but_for_shapes(pages()))
def test_page(html, browser, name, size):
    with Visit(browser, (html / f"{name}.html").as_uri(), size) as visit:
        page = visit.page
        page.evaluate("() => window.MathJax?.startup?.promise")
        assert page.locator(".bd-article h1").count() == 1
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(
                "scheme => document.documentElement.dataset.theme === scheme",
                arg=scheme,
            )
            assert not visit.too_wide(), f"the page can be moved sideways ({scheme})"
        pictures = page.evaluate(PICTURES)
        assert [picture["of"] for picture in pictures if not picture["drawn"]] == [], (
            "pictures that do not load"
        )
        assert [picture["of"] for picture in pictures if not picture["alt"]] == [], (
            "pictures without alt text"
        )
        formulas = page.locator(".math").count()
        assert page.locator(".math mjx-container").count() == formulas, (
            "mathematics that is not drawn"
        )
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, (
            "mathematics with an error"
        )
        open_all(page)
        assert not visit.too_wide(), (
            "with its answers open, the page can be moved sideways"
        )
        assert not visit.outside, "the page asks for something outside"
        assert not visit.errors


def test_no_table_stands_as_text(html):
    """What a cell gives as Markdown is set as such: bars between words are no table."""
    rows = {}
    for path in sorted(html.glob("book/**/*.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        texts = [each.get_text() for each in page.select(".bd-article p")]
        rows[path.stem] = [text for text in texts if text.count(" | ") > 2]
    assert len(rows) > 10 and not any(rows.values()), rows


def open_all(page):
    """Click every folded answer and see that it opens."""
    for folded in page.locator(".bd-article details").all():
        if (
            folded.get_attribute("open") is None
            and folded.locator("summary").first.is_visible()
        ):
            folded.locator("summary").first.click()
            assert folded.get_attribute("open") is not None
    for button in page.locator(".bd-article .admonition button.toggle-button").all():
        answer = button.locator("xpath=ancestor::div[contains(@class, 'toggle')][1]")
        if "toggle-hidden" in answer.get_attribute("class"):
            button.click()
            assert "toggle-hidden" not in answer.get_attribute("class")


@pytest.mark.browser
def test_first_page_leads_to_the_book(html, browser):
    with Visit(browser, (html / "index.html").as_uri(), "laptop") as visit:
        visit.page.wait_for_url("**/book/index.html")
        assert not visit.outside and not visit.errors


@pytest.mark.browser
def test_search_finds_a_word(html, browser):
    with Visit(
        browser, (html / "search.html").as_uri() + "?q=Hopfield", "laptop"
    ) as visit:
        visit.page.wait_for_selector("#search-results li a")
        assert not visit.outside and not visit.errors


@pytest.mark.browser
def test_a_term_explains_itself(html, browser):
    with Visit(browser, (html / "book" / "index.html").as_uri(), "laptop") as visit:
        assert "looks at no signal" in visit.page.locator(
            "a[href*='term-floor']"
        ).first.get_attribute("title")


def complaints(visit, name, scheme):
    """What axe-core finds severe: contrast, names, labels, order of headings."""
    left_out = [FORMULAS, CODE]
    if name == "book/gallery":
        left_out = [FORMULAS]
    elif name == "book/api":
        left_out = [FORMULAS, CODE, MODULES]
    page = visit.page
    page.evaluate("() => window.MathJax?.startup?.promise")
    # no colour on its way to another
    page.add_style_tag(content="* { transition: none !important; }")
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(
        "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
    )
    rules = Axe().run(page, {"exclude": left_out}, RULES[scheme]).response["violations"]
    return [
        f"{scheme}: {rule['id']}: {node['html'][:150]}"
        for rule in rules
        if rule["impact"] in SEVERE
        for node in rule["nodes"]
    ]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("shape", "scheme", "size"),
    [
        ("landing", "light", "laptop"),
        ("chapter", "light", "laptop"),
        ("chapter", "dark", "laptop"),
        ("chapter", "light", "phone"),
        ("table", "light", "laptop"),
        ("try", "light", "laptop"),
    ],
)
def test_everybody_can_read_each_shape_of_page(html, browser, shape, scheme, size):
    name = SHAPES[shape]
    with Visit(browser, (html / f"{name}.html").as_uri(), size) as visit:
        assert complaints(visit, name, scheme)[:8] == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("name", [*pages(), "genindex", "search"])
def test_everybody_can_read_the_page(html, browser, name):
    with Visit(browser, (html / f"{name}.html").as_uri(), "laptop") as visit:
        for scheme in RULES:
            assert complaints(visit, name, scheme)[:8] == []


# Pages that move without a kernel -----------------------------------------------------


def read_values(page):
    """Numbers that a page shows, unrounded, by name."""
    return page.evaluate(VALUES)


def move(page, **sliders):
    for name, value in sliders.items():
        page.locator(f"#try-{name}").evaluate(MOVE, str(value))


@pytest.mark.browser
def test_the_memory_on_the_page_is_that_of_the_package(html, browser):
    around = np.deg2rad([10, 50, 150, 255])
    memory = torch.as_tensor(np.c_[np.cos(around), np.sin(around)])
    with Visit(browser, (html / "book" / "try_energy.html").as_uri(), "phone") as visit:
        for power, angle, length in [
            (-1, 30, 1.45),
            (0.7, 200, 0.6),
            (2, 100, 0),
            (1.5, 30, 1.6),
        ]:
            move(visit.page, beta=power, angle=angle, length=length)
            query = (
                length
                * torch.tensor(
                    [[np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]]
                ).double()
            )
            shown = {
                name: value for name, (value, _) in read_values(visit.page).items()
            }
            weights = retrieve(query, memory, 10**power, torch.eye(4).double())[0]
            expected = dict(
                zip("ABCD", weights.tolist(), strict=True),
                before=energy(query, memory, 10**power).item(),
                after=energy(
                    retrieve(query, memory, 10**power), memory, 10**power
                ).item(),
            )
            assert {name: shown[name] for name in expected} == pytest.approx(
                expected, abs=1e-9
            )
        visit.page.locator("#try-beta").press("ArrowLeft")
        assert read_values(visit.page)["beta"][0] == pytest.approx(10**1.45)
        assert not visit.errors


@pytest.mark.browser
def test_the_measures_on_the_page_are_those_of_the_package(html, browser):
    truths = {"mixed": [0.35, 0.3, 0.1, 0.2, 0.05, 0], "single": [1, 0, 0, 0, 0, 0]}
    names = ("proud", "relieved", "calm", "sad", "worried", "angry")
    with Visit(
        browser, (html / "book" / "try_measures.html").as_uri(), "phone"
    ) as visit:
        for truth, ratings in [
            ("mixed", (3, 1, 4, 1, 5, 9)),
            ("mixed", (100, 0, 0, 0, 0, 0)),
            ("single", (0, 1, 0, 0, 1, 0)),
        ]:
            visit.page.select_option("#try-truth", truth)
            move(visit.page, **dict(zip(names, ratings, strict=True)))
            shown, share = read_values(visit.page), np.array(ratings) / sum(ratings)
            assert list(shown) == [
                "chebyshev",
                "clark",
                "canberra",
                "kl",
                "cosine",
                "intersection",
            ]
            for name in shown:
                value = float(METRICS[name][0](np.array(truths[truth]), share))
                assert shown[name] == [
                    pytest.approx(value, abs=1e-12),
                    f"{value:.3f}",
                ], name
        visit.page.select_option("#try-truth", "mixed")
        visit.page.get_by_role("button", name="the truth").press("Enter")
        assert "is the truth" in visit.page.locator(".try-says").inner_text()
        assert read_values(visit.page)["intersection"][0] == pytest.approx(1)
        assert not visit.errors


# Other forms --------------------------------------------------------------------------


def test_a_chapter_may_be_named_behind_the_options(monkeypatch, capsys):
    """As `make slides CHAPTER=...` does."""
    made = []
    monkeypatch.setattr(editions, "build", lambda jobs: made.append(jobs))
    monkeypatch.setattr(editions, "slides", lambda html, name: made.append(name) or 3)
    editions.main(["slides", "-j", "1", "04_associative_memory"])
    assert (
        made == [1, "book/04_associative_memory"]
        and "3 slides" in capsys.readouterr().out
    )


@pytest.mark.browser
def test_slides_are_shown_and_printed_without_the_internet(html, browser, tmp_path):
    number = slides(html, f"book/{SHOWN}")
    assert number >= 2 and slides(html, "book/glossary") == 0
    with Visit(
        browser, (html / "slides" / f"{SHOWN}.html").as_uri(), "laptop"
    ) as visit:
        page = visit.page
        page.wait_for_function("window.Reveal?.isReady()")
        page.evaluate("() => window.MathJax.startup.promise.then(() => true)")
        assert page.evaluate("Reveal.getTotalSlides()") == number
        slide = page.locator(
            ".slides > section", has=page.locator("img")
        ).first  # it joined the words before it
        assert (
            slide.locator("h2").count() == 1
            and page.locator("mjx-container").count() > 0
        )
        assert page.locator("img").evaluate_all(
            "images => images.every(image => image.naturalWidth > 0)"
        )
        page.keyboard.press("End")
        assert page.evaluate("Reveal.isLastSlide()")
        assert not visit.outside and not visit.errors
        page.goto((html / "slides" / f"{SHOWN}.html").as_uri() + "?print-pdf")
        page.wait_for_selector(".pdf-page")
        page.pdf(path=tmp_path / "slides.pdf", prefer_css_page_size=True)
        assert (
            len(PdfReader(tmp_path / "slides.pdf").pages) >= number
        )  # what is too tall goes on


@pytest.mark.browser
def test_one_pdf_of_several_pages(html, tmp_path):
    with ThreadPoolExecutor(
        1
    ) as other:  # playwright wants a thread for each of its loops
        other.submit(
            pdf, html, ["book/index", f"book/{SHOWN}"], tmp_path / "book.pdf", "A title"
        ).result()
    reader = PdfReader(tmp_path / "book.pdf")
    text = "\n".join(page.extract_text() for page in reader.pages)
    assert (
        "A title" in text
        and "A landscape with valleys" in text
        and "\\beta" not in text
    )
    chapters_of_it = [
        entry.title for entry in reader.outline if not isinstance(entry, list)
    ]  # a title that runs over two lines lacks a blank there
    assert [title.replace(" ", "") for title in chapters_of_it] == [
        "Mixedemotions,measured",
        "4·Hopfieldnetworks:amemory,andwhyitisattention",
    ]
    assert sum(len(page.images) for page in reader.pages) >= 3
    assert [path.name for path in tmp_path.iterdir()] == ["book.pdf"] and not (
        html / "whole.html"
    ).exists()


def test_links_in_one_page_lead_to_its_parts(html):
    whole = BeautifulSoup(
        one_page(html, ["book/index", "book/glossary"], "A title"), "html.parser"
    )
    names = {element["id"] for element in whole.find_all(id=True)}
    inner = [
        link["href"]
        for link in whole.find_all("a", href=True)
        if not link["href"].startswith("http")
    ]
    assert (
        "#book-glossary--term-floor" in inner and {link[1:] for link in inner} <= names
    )


# Without a browser --------------------------------------------------------------------


def test_the_page_of_runs_tells_of_every_chapter(html):
    shown = (html / "book" / "run_status.html").read_text(encoding="utf-8")
    assert all(f'href="{path.stem}.html"' in shown for path in chapters())


def offered(html, name):
    """The files that a page offers as those behind it, but for its notebook."""
    page = (html / "book" / f"{name}.html").read_text(encoding="utf-8")
    links = BeautifulSoup(page, "html.parser").select(".taken a")
    assert links[0]["href"] == f"../_sources/book/{name}.ipynb"
    for link in links:
        assert (html / "book" / link["href"]).resolve().is_file()
    return [link["href"].rpartition("/")[2] for link in links[1:]]


def test_scores_behind_a_page_can_be_taken_along(html):
    assert "simulated-plain-benchmark.nc" in offered(html, "11_results")
    scores = read(html / "_static" / "data" / "simulated-plain-benchmark.nc").score
    kept = read(ROOT / "data" / "results" / "simulated-plain-benchmark.nc").score
    assert scores.identical(kept) and scores.notnull().any()


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_page_offers_what_its_cells_read_and_nothing_else(html, path):
    names = set()
    for file in read_data(path):
        if file.suffix in (".nc", ".csv"):
            names.add(file.name)
    assert set(offered(html, path.stem)) == names


def test_the_memory_chapter_offers_no_results(html):
    """It once offered 36 files, of which its cells read none."""
    assert offered(html, "04_associative_memory") == ["simulated.nc"]


def test_a_chapter_shows_source_without_a_docstring_longer_than_it(html):
    source = inspect.getsource(retrieve)
    page = (html / "book" / "04_associative_memory.html").read_text(encoding="utf-8")
    blocks = [
        block.get_text()
        for block in BeautifulSoup(page, "html.parser").select(".highlight pre")
    ]
    (shown,) = [block for block in blocks if block.startswith("def retrieve(")]
    assert shown.strip() == without_docstrings(source).strip()


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_figure_of_a_chapter_offers_its_numbers(html, path):
    cells = code_cells(read_notebook(path))
    drawn = [
        cell
        for cell in cells
        if cell.metadata.get("mystnb", {}).get("figure")
        for output in cell.outputs
        if output.get("data", {}).get("text/csv", "").strip()  # else too many numbers
    ]
    soup = BeautifulSoup(
        (html / "book" / f"{path.stem}.html").read_text(encoding="utf-8"), "html.parser"
    )
    links = [link["href"] for link in soup.select("figcaption a.numbers")]
    assert len(links) == len({*links}) == len(drawn)
    for link in links:
        assert len(pd.read_csv(html / "book" / link)) > 0, link


# Links and sizes ----------------------------------------------------------------------


def test_links_within_the_book_lead_somewhere(html):
    for page in [html / f"{name}.html" for name in pages()]:
        for target in set(
            re.findall(
                r'(?:href|src)="([^"#?]+)[^"]*"', page.read_text(encoding="utf-8")
            )
        ):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).resolve().exists(), (
                    f"{page.name} links to {target}"
                )


def test_the_book_is_light(html):
    sizes = {
        path.relative_to(html): path.stat().st_size
        for path in html.rglob("*")
        if path.is_file()
    }
    assert sum(sizes.values()) < 40e6
    assert {
        name: size
        for name, size in sizes.items()
        if name.suffix == ".html" and size > 3e6
    } == {}


def test_every_figure_function_is_in_the_gallery(html):
    shown = (html / "book" / "gallery.html").read_text(encoding="utf-8")
    takes_axes = [
        name
        for name, function in inspect.getmembers(figures, inspect.isfunction)
        if function.__module__ == figures.__name__ and not name.startswith("_")
    ]
    takes_axes = set(takes_axes) - {"canvas", "numbers"}
    for name in takes_axes:
        assert f"_static/gallery/{name}.csv" in shown, (
            f"{name} is not in the gallery: draw it in book/_ext/drawings.py"
        )
        assert len(pd.read_csv(html / "_static" / "gallery" / f"{name}.csv"))


def test_every_module_is_on_the_reference_page(html):
    shown = (html / "book" / "api.html").read_text(encoding="utf-8")
    for path in (ROOT / "mpcl").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.name not in ("__init__.py", "__main__.py"):
            assert f'id="module-{name}"' in shown, name
