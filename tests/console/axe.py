"""axe-core, which finds what keeps people with other eyes and hands out of a page."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from amberflo_workflows.console.packages import installed

_PINNED_IN: Final = Path(__file__).parent / "npm"
_GRAVE: Final = ("serious", "critical")


@cache
def _axe() -> str:
    return (installed(_PINNED_IN) / "axe-core" / "axe.min.js").read_text()


def assert_accessible(page: Page) -> None:
    """No serious or critical fault in the page as it stands."""
    # Evaluated, since the console's policy lets no foreign script in.
    page.evaluate(_axe())
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    told = [
        f"{fault['id']} ({fault['impact']}): {fault['help']}\n  {place['html'][:200]}\n  {place['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in _GRAVE
        for place in fault["nodes"]
    ]
    assert told == [], "\n".join(told)
