"""The gallery of ``make gallery`` has every page of the console, and notices problems."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from starlette.routing import Match

from amberflo_workflows.console.app import _PAGES
from tests.gallery import __main__ as gallery
from tests.gallery.pages import PAGES, GalleryPage

# The last part of the path of what is loaded into a page on request, and of exports.
PARTS = {
    *("confirm", "list", "rows", "older", "known", "events", "event", "state", "log", "definition", "time", "usages"),
    *("items", "history", "usage/dimensions", "overview/meters", "{id:path}/usage", "cancel"),
    *("export.csv", "export.json", "history.csv", "history.json"),
}
ID = "arn:aws:states:us-east-1:000000000000:execution:machine:name"


def _matches(path: str) -> set[str]:
    """The pages that have this path."""
    routes = [route for module in _PAGES for route in module.ROUTES]
    scope = {"type": "http", "method": "GET", "path": path.partition("?")[0]}
    return {route.path for route in routes if route.matches(scope)[0] is Match.FULL}


def test_every_page_is_in_the_gallery() -> None:
    samples = {name: ID for page in PAGES for name in page.list_samples()}
    pictured = {path for page in PAGES for path in _matches(f"/{page.path.format(**samples)}")}
    routes = [route for module in _PAGES for route in module.ROUTES if "GET" in (route.methods or ())]
    pages = {
        route.path
        for route in routes
        if not route.path.startswith("/live/") and not any(route.path.endswith(f"/{part}") for part in PARTS)
    }
    assert pages - pictured == set()


@pytest.mark.emulator
def test_problems_of_a_page_are_reported(
    browser: Browser, console_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)

    def act(page: Page) -> None:
        page.evaluate("setTimeout(() => { throw new Error('broken') })")
        page.evaluate("document.querySelector('h1').style.width = '2000px'")

    def take(page: GalleryPage) -> list[str]:
        return gallery.take_picture(browser.new_page(), console_url, page, {}, page.name)

    assert take(GalleryPage("good", "start")) == []
    script, width = take(GalleryPage("bad", "start", act))
    assert (script, width.split()[0:3]) == ("script error: broken", ["the", "page", "is"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.png", "good.png"]
