"""Take pictures of every page of the console in three states, three widths and two colour schemes.

They are saved in ``build/screenshots/gallery``. What can be detected is printed: what axe reports, pages that are wider
than the window, errors of scripts, and responses with the status 500. The exit code is 1 if there is a problem.
"""

import sys
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from amberflo_workflows.local.system import System, running_system
from tests.conftest import sandbox_of
from tests.console.axe import list_violations
from tests.gallery.pages import PAGES, GalleryPage, Samples
from tests.gallery.samples import fill
from tests.packages import ROOT
from tools.chromium import CHROMIUM_ARGUMENTS, CHROMIUM_MISSING, find_chromium
from tools.console import serve_console

# Without any data, with a lot of it, and with a lot of it while Amberflo is down
STATES: Final = ("empty", "full", "failing")
FOLDER: Final = ROOT / "build" / "screenshots" / "gallery"
WIDTHS: Final = {1440: 900, 1280: 800, 390: 844}
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
# Live parts keep requests open, so that the network is never idle; htmx marks the elements that wait for a response.
_WAITING: Final = ".htmx-request"
_MAX_WAIT_MS: Final = 60_000
_SETTLE_MS: Final = 400


def main(args: list[str]) -> int:
    """``python -m tests.gallery [STATE…]``, by default all states."""
    states = args or list(STATES)
    if unknown := set(states) - set(STATES):
        print(f"Unknown state: {', '.join(sorted(unknown))}. The states are {', '.join(STATES)}.", file=sys.stderr)
        return 2
    chromium = find_chromium()
    if chromium is None:
        print(CHROMIUM_MISSING)
        return 1
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        with tempfile.TemporaryDirectory() as folder, running_system(Path(folder)) as system:
            for state, samples in _enter(states, system):
                with serve_console(system) as url:
                    problems += take_pictures(browser, url, state, samples)
        browser.close()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems; the pictures are in {FOLDER}")
    return 1 if problems else 0


def _enter(states: list[str], system: System) -> Iterator[tuple[str, Samples]]:
    """Bring the system into one state after the other. Yields their names, and the samples in each."""
    if "empty" in states:
        yield "empty", {}
    samples = fill(system) if {"full", "failing"} & set(states) else {}
    if "full" in states:
        yield "full", samples
    if "failing" in states:
        sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
        yield "failing", samples


def take_pictures(browser: Browser, url: str, state: str, samples: Samples) -> list[str]:
    """Take the pictures of one state. Returns the problems that were detected."""
    problems = []
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            for page in PAGES:
                if samples.keys() >= set(page.list_samples()):
                    name = f"{page.name}-{state}-{width}-{scheme}"
                    problems += [
                        f"{name}: {problem}" for problem in take_picture(context.new_page(), url, page, samples, name)
                    ]
            context.close()
    return problems


def _wait(page: Page) -> None:
    """Wait until the parts that load by themselves are there, and what scripts draw."""
    page.wait_for_timeout(_SETTLE_MS)
    expect(page.locator(_WAITING)).to_have_count(0, timeout=_MAX_WAIT_MS)
    page.wait_for_timeout(_SETTLE_MS)


def take_picture(page: Page, url: str, gallery_page: GalleryPage, samples: Samples, name: str) -> list[str]:
    """Take the picture of a page. Returns the problems that were detected."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"script error: {error}"))

    def check(response: Response) -> None:
        if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            errors.append(f"{response.url} responded with {response.status}")

    page.on("response", check)
    page.goto(url + gallery_page.path.format(**samples))
    page.wait_for_load_state()
    gallery_page.act(page)
    _wait(page)
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    errors += list_violations(page)
    excess: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if excess > 0:
        errors.append(f"the page is {excess} pixels wider than the window")
    page.close()
    return errors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
