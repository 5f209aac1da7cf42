"""The rendered book, opened in a browser as a reader opens it: from a file, without the internet, on two screens."""

import re
import shutil

import nbformat
import pytest

from mpcl.freshness import ROOT, clean
from mpcl.notebooks import chapters, pages, render, stage

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--disable-default-apps"]
SIZES = {"laptop": (1280, 800), "phone": (390, 844)}
HARMLESS = [  # the search page of Sphinx 7.4, opened from a file: it may not read the pages, and shows titles alone
    "Failed to execute 'appendChild' on 'Node'", "Access to fetch at 'file:",
    "Failed to load resource: net::ERR_FAILED", "Failed to fetch",
]
HERE = ("file:", "data:", "blob:", "about:")
needs_browser = pytest.mark.skipif(not BROWSER, reason="there is no chromium here: the pages are not opened")


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The book rendered from the committed notebooks; a warning is an error."""
    place = tmp_path_factory.mktemp("book")
    stage(place / "stage", {path: clean(nbformat.read(path, 4)) for path in chapters()})
    render(place / "stage", place / "html")
    return place / "html"


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield opened
        opened.close()


class Visit:
    """One page on one screen, and what it did: requests to the outside and errors."""

    def __init__(self, browser, address, size):
        width, height = SIZES[size]
        self.outside, self.errors = [], []
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.page.route(re.compile(r"^(?!file:|data:|blob:)"), lambda route: route.abort())
        self.page.on("request", lambda request: request.url.startswith(HERE) or self.outside.append(request.url))
        self.page.on("console", lambda message: message.type == "error" and self.complain(message.text))
        self.page.on("pageerror", lambda error: self.complain(str(error)))
        self.page.goto(address)

    def complain(self, text):
        if not any(known in text for known in HARMLESS):
            self.errors.append(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def too_wide(self):
        """What reaches over the right edge, if the page can be moved sideways."""
        return self.page.evaluate("""() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            const wide = [...document.querySelectorAll('.bd-article *, footer *')].filter(
                element => element.getBoundingClientRect().right > width + 1);
            return ['page', ...wide.map(e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 60)}`).slice(0, 8)];
        }""")


@needs_browser
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", pages())
def test_page(html, browser, name, size):
    with Visit(browser, (html / f"{name}.html").as_uri(), size) as visit:
        page = visit.page
        page.evaluate("() => window.MathJax?.startup?.promise")
        assert page.locator(".bd-article h1").count() == 1
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
            assert not visit.too_wide(), f"the page can be moved sideways ({scheme})"
        pictures = page.evaluate("""() => Promise.all([...document.images].map(async image => {
            image.loading = 'eager';
            await image.decode().catch(() => null);
            return {of: image.getAttribute('src'), drawn: image.naturalWidth > 0, alt: image.alt.trim()};
        }))""")
        assert [picture["of"] for picture in pictures if not picture["drawn"]] == [], "pictures that do not load"
        assert [picture["of"] for picture in pictures if not picture["alt"]] == [], "pictures without alt text"
        formulas = page.locator(".math").count()
        assert page.locator(".math mjx-container").count() == formulas, "mathematics that is not drawn"
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, "mathematics with an error"
        open_all(page)
        assert not visit.too_wide(), "with its answers open, the page can be moved sideways"
        assert not visit.outside, "the page asks for something outside"
        assert not visit.errors


def open_all(page):
    """Click every folded answer and see that it opens."""
    for folded in page.locator(".bd-article details").all():
        if folded.get_attribute("open") is None and folded.locator("summary").first.is_visible():
            folded.locator("summary").first.click()
            assert folded.get_attribute("open") is not None
    for button in page.locator(".bd-article .admonition button.toggle-button").all():
        answer = button.locator("xpath=ancestor::div[contains(@class, 'toggle')][1]")
        if "toggle-hidden" in answer.get_attribute("class"):
            button.click()
            assert "toggle-hidden" not in answer.get_attribute("class")


@needs_browser
def test_first_page_leads_to_the_book(html, browser):
    with Visit(browser, (html / "index.html").as_uri(), "laptop") as visit:
        visit.page.wait_for_url("**/book/index.html")
        assert not visit.outside and not visit.errors


@needs_browser
def test_search_finds_a_word(html, browser):
    with Visit(browser, (html / "search.html").as_uri() + "?q=Hopfield", "laptop") as visit:
        visit.page.wait_for_selector("#search-results li a")
        assert not visit.outside and not visit.errors


@needs_browser
def test_a_term_explains_itself(html, browser):
    with Visit(browser, (html / "book" / "index.html").as_uri(), "laptop") as visit:
        assert "looks at no signal" in visit.page.locator("a[href*='term-floor']").first.get_attribute("title")


def test_links_within_the_book_lead_somewhere(html):
    for page in [html / f"{name}.html" for name in pages()]:
        for target in set(re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', page.read_text(encoding="utf-8"))):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).resolve().exists(), f"{page.name} links to {target}"


def test_the_book_is_light(html):
    sizes = {path.relative_to(html): path.stat().st_size for path in html.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 40e6
    assert {name: size for name, size in sizes.items() if name.suffix == ".html" and size > 3e6} == {}


def test_every_module_is_on_the_reference_page(html):
    shown = (html / "book" / "api.html").read_text(encoding="utf-8")
    for path in (ROOT / "mpcl").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.name not in ("__init__.py", "__main__.py"):
            assert f'id="module-{name}"' in shown, name
