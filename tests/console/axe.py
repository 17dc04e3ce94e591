"""Accessibility checks with axe-core."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from amberflo_workflows.console.packages import install_packages

_LOCK_FOLDER: Final = Path(__file__).parent / "npm"
_REPORTED_IMPACTS: Final = ("serious", "critical")


@cache
def _axe() -> str:
    return (install_packages(_LOCK_FOLDER) / "axe-core" / "axe.min.js").read_text()


def assert_accessible(page: Page) -> None:
    """Assert that the page has no serious or critical accessibility violations."""
    # Evaluated, since the console's content security policy blocks other scripts.
    page.evaluate(_axe())
    results: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    violations = [
        f"{rule['id']} ({rule['impact']}): {rule['help']}\n  {node['html'][:200]}\n  {node['failureSummary']}"
        for rule in results["violations"]
        if rule["impact"] in _REPORTED_IMPACTS
        for node in rule["nodes"]
    ]
    assert violations == [], "\n".join(violations)
