"""The pages of the console that the gallery shows."""

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import Final

from playwright.sync_api import Page

# The id of each sample, by what it is: a format string of a path has them in braces.
Samples = dict[str, str]


@dataclass(frozen=True)
class GalleryPage:
    """A page by its path, and what a reader does on it before the picture."""

    name: str
    path: str
    act: Callable[[Page], None] = lambda _page: None

    def list_samples(self) -> list[str]:
        """The names of the samples in the path."""
        return [name for _, name, _, _ in Formatter().parse(self.path) if name]


def _click(role: str, name: str) -> Callable[[Page], None]:
    def click(page: Page) -> None:
        page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type] # one of the roles of ARIA

    return click


PAGES: Final = (
    GalleryPage("overview", ""),
    GalleryPage("overview-usage", "", _click("button", "Show usage")),
    GalleryPage("executions", "executions"),
    GalleryPage("executions-failed", "executions?status=failed"),
    GalleryPage("executions-nothing", "executions?text=nothing-has-this-name"),
    GalleryPage("execution", "executions/{ingest}"),
    GalleryPage("execution-table", "executions/{retried}", _click("tab", "Table")),
    GalleryPage("execution-definition", "executions/{ingest}", _click("tab", "Definition")),
    GalleryPage("execution-failed", "executions/{failed}"),
    GalleryPage("start", "start?workflow=ingest_usage"),
    GalleryPage("meters", "meters"),
    GalleryPage("meters-new", "meters/new"),
    GalleryPage("meter", "meters/{meter}"),
    GalleryPage("tenants", "tenants"),
    GalleryPage("tenant", "tenants/{tenant}", _click("button", "Show usage")),
    GalleryPage("usage", "usage?meter={meter_name}&group=customerId"),
    GalleryPage("usage-no-meter", "usage"),
    GalleryPage("usage-latest", "usage/latest"),
    GalleryPage("usage-records", "usage/records?meter={meter_name}&tenant={tenant}&from=6h&to=0h"),
    GalleryPage("usage-rules", "usage/rules"),
    GalleryPage("rejected", "rejected"),
    GalleryPage("rejected-reasons", "rejected/reasons"),
    GalleryPage("rejected-item", "rejected/{rejected}"),
    GalleryPage("dead-events", "rejected/dead"),
    GalleryPage("dead-event", "rejected/dead/{dead}"),
    GalleryPage("reconciliations", "reconciliations"),
    GalleryPage("reconciliation", "reconciliations/{reconciliation}"),
    GalleryPage("search", "search?q=nothing-has-this-name"),
    GalleryPage("no-page", "nothing-here"),
)
