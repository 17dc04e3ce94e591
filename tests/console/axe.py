"""Accessibility checks with axe-core."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from amberflo_workflows.console.packages import install_packages

_LOCK_FOLDER: Final = Path(__file__).parent / "npm"


@cache
def _axe() -> str:
    return (install_packages(_LOCK_FOLDER) / "axe-core" / "axe.min.js").read_text()


def assert_accessible(page: Page) -> None:
    """Assert that axe finds nothing on the page."""
    violations = list_violations(page)
    assert violations == [], "\n".join(violations)


def list_violations(page: Page) -> list[str]:
    """Return what axe finds on the page: the rule, the element and what is wrong with it."""
    # Evaluated, since the console's content security policy blocks other scripts.
    page.evaluate(_axe())
    options = "{resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}"
    results: dict[str, Any] = page.evaluate(f"() => axe.run(document, {options})")
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}\n  {node['html'][:200]}\n  {node['failureSummary']}"
        for rule in results["violations"]
        for node in rule["nodes"]
    ]
