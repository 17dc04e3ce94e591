"""The page of usage, in a real browser."""

import csv
import html
import time

import pytest
import requests
from playwright.sync_api import Page, expect

from amberflo_workflows.local.system import System
from tests.cli.local_metering import count_usages, create_meter
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.usage_samples import HOSTILE, HOUR, NOW, count, create_usage, read_cells

pytestmark = pytest.mark.emulator


@pytest.fixture
def system_with_usage(system: System) -> System:
    create_usage(system)
    return system


def _bars(page: Page) -> list[str]:
    """The descriptions of the bars with usage."""
    texts = page.locator("[data-chart] .bar").evaluate_all("bars => bars.map(bar => bar.getAttribute('aria-label'))")
    return [text for text in texts if not text.endswith(": no usage")]


def _marks(page: Page, attribute: str) -> list[str]:
    """The values of an attribute of all rectangles in the bars."""
    values: list[str] = page.locator(".bar rect[class^=series]").evaluate_all(
        "(marks, name) => marks.map(mark => mark.getAttribute(name))", attribute
    )
    return values


def test_chart_and_table_agree_with_the_counted_usage(system_with_usage: System, open_page: OpenPage) -> None:
    page = open_page("usage?meter=api-calls&range=24h&group=customerId")
    totals = sandbox_of(system_with_usage).totals("api-calls")
    assert totals == {"acme": 20.5, "globex": 5, HOSTILE: 0.25}
    assert dict(read_cells(page.locator(".totals tbody tr"))) == {name: f"{total:g}" for name, total in totals.items()}
    assert read_cells(page.locator(".totals tfoot tr")) == [["All groups", "25.75"]]
    first, second = read_cells(page.locator(".intervals tbody tr"))
    assert (first[1:], second[1:]) == (["3", "·", "0.25", "3.25"], ["17.5", "5", "·", "22.5"])
    # Each total stands once.
    expect(page.locator(".intervals tfoot")).to_have_count(0)
    assert _bars(page) == [
        f"{first[0]}: 3.25 (acme 3; {HOSTILE} 0.25)",
        f"{second[0]}: 22.5 (acme 17.5; globex 5)",
    ]
    heights = [float(height) for height in _marks(page, "height")]
    assert sum(heights[2:]) / sum(heights[:2]) == pytest.approx(22.5 / 3.25, rel=0.01)
    expect(page.locator(".legend li")).to_have_count(3)
    assert page.title() == "Usage · Metering"


def test_the_options_are_in_the_url(system_with_usage: System, open_page: OpenPage) -> None:
    create_meter(system_with_usage, "storage", dimensions=["tier"])
    page = open_page("usage?meter=storage")
    expect(page.get_by_text("No usage in this time range")).to_be_visible()
    page.get_by_label("Meter").select_option("api-calls")
    page.get_by_label("Filter by region").fill("eu")
    page.get_by_label("customerId").check()
    page.locator("[name=range]").select_option("24h")
    page.locator("[name=interval]").select_option("hour")
    page.get_by_label("Tenants").fill("acme\nnobody")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".totals tbody tr")).to_have_count(1)
    cells = read_cells(page.locator(".totals tbody tr"))
    assert cells == [["acme", "3"]]
    shared = open_page(page.url.split("/", 3)[3])
    assert read_cells(shared.locator(".totals tbody tr")) == cells
    expect(shared.get_by_label("Filter by region")).to_have_value("eu")


def test_a_comma_is_part_of_a_filters_value(system_with_usage: System, open_page: OpenPage) -> None:
    usage = {"tenantId": "acme, globex", "meterApiName": "api-calls", "meterValue": 1000, "region": "eu,us"}
    count_usages(system_with_usage, [usage])
    for label, text in (("Tenants", "acme, globex"), ("Filter by region", "eu,us")):
        page = open_page("usage?meter=api-calls&range=24h&group=customerId")
        expect(page.locator(".totals tbody tr")).to_have_count(4)
        page.get_by_label(label).fill(text)
        page.get_by_role("button", name="Apply").click()
        expect(page.locator(".totals tbody tr")).to_have_count(1)
        assert read_cells(page.locator(".totals tbody tr")) == [["acme, globex", "1,000"]]
        expect(page.get_by_label(label)).to_have_value(text)


@pytest.mark.usefixtures("system_with_usage")
def test_a_time_range_can_be_precise_to_the_second(open_page: OpenPage) -> None:
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((NOW // HOUR - hours) * HOUR)) for hours in (3, 2))
    page = open_page(f"usage?meter=api-calls&range=between&from={start}&to={end}&interval=hour")
    assert [row[1] for row in read_cells(page.locator(".intervals tbody tr"))] == ["3.25"]
    expect(page.get_by_label("From (UTC)", exact=True)).to_have_value(start[:16])


def test_the_smallest_groups_are_one_series(system: System, open_page: OpenPage) -> None:
    create_meter(system, "many")
    count(system, "many", *((f"t{number:02}", 1, 100 - number, "") for number in range(12)))
    page = open_page("usage?meter=many&range=24h&group=customerId")
    expect(page.locator(".totals tbody tr")).to_have_count(12)
    assert page.locator(".legend li").last.inner_text().split() == ["4", "others"]
    assert read_cells(page.locator(".intervals tbody tr"))[0][-2:] == ["362", "1,134"]
    assert len(set(_marks(page, "fill"))) == 9


def test_groups_that_cannot_be_added_up_have_no_total(system: System, open_page: OpenPage) -> None:
    create_meter(system, "seats", meterType="active_users", aggregationDimensions=["customerId"], dimensions=["region"])
    count(system, "seats", ("acme", 1, 1, "eu"), ("acme", 1, 1, "us"))
    page = open_page("usage?meter=seats&range=24h&group=region")
    expect(page.get_by_text("cannot be added up")).to_be_visible()
    expect(page.locator(".totals tfoot")).to_have_count(0)
    # Side by side, with the same height.
    assert [len(set(_marks(page, name))) for name in ("x", "y", "height")] == [2, 1, 1]


def test_large_negative_and_fractional_values_share_one_scale(system: System, open_page: OpenPage) -> None:
    create_meter(system, "odd")
    count(system, "odd", ("acme", 3, 1234567890123.25, ""), ("acme", 2, -617283945061.5, ""), ("acme", 1, 0.1, ""))
    page = open_page("usage?meter=odd&range=24h", narrow=True)
    rows = [row[1] for row in read_cells(page.locator(".intervals tbody tr"))]
    assert rows == ["1,234,567,890,123.25", "-617,283,945,061.5", "0.1"]
    assert page.locator(".axis text").all_text_contents() == ["1.5 T", "1 T", "500 B", "0", "-500 B", "-1 T"]
    (positive, negative, _), (top, zero, _) = (
        [float(value) for value in _marks(page, name)] for name in ("height", "y")
    )
    assert positive / negative == pytest.approx(2, rel=0.01)
    assert zero == pytest.approx(top + positive, abs=0.1)


@pytest.mark.usefixtures("system_with_usage")
def test_a_chart_of_a_thousand_intervals_scrolls(open_page: OpenPage) -> None:
    page = open_page("usage?meter=api-calls&range=42d&interval=hour")
    expect(page.locator("[data-chart] .bar")).to_have_count(1009)
    assert len(_bars(page)) == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    widths = page.locator(".plot").evaluate("plot => [plot.scrollWidth, plot.clientWidth, plot.scrollLeft]")
    assert widths[0] == 1009 * 4
    # The chart is scrolled to its newest end.
    assert widths[2] == widths[0] - widths[1]


INVALID_QUERIES = (
    ("meter=no-such-meter", 404, "The API responded with 404"),
    ("meter=api-calls&group=nosuch", 400, "nosuch"),
    ("meter=api-calls&range=400d&interval=hour", 400, "9,600 hours; at most 3,000 can be shown"),
    ("meter=api-calls&range=soon", 400, "'soon' is not a valid duration"),
    ("meter=api-calls&range=between&from=2026-01-02T00:00&to=2026-01-01T00:00", 400, "must be before its end"),
    ("meter=api-calls&interval=year", 400, "Unknown interval 'year'"),
)


def test_an_invalid_query_shows_an_error_on_the_page(system: System, console_url: str) -> None:
    create_meter(system, "api-calls")
    for query, status, message in INVALID_QUERIES:
        response = requests.get(f"{console_url}usage?{query}", timeout=30)
        assert (response.status_code, message in html.unescape(response.text)) == (status, True), query
        assert 'name="meter"' in response.text


@pytest.mark.usefixtures("system")
def test_without_meters_the_page_links_to_create_one(open_page: OpenPage) -> None:
    page = open_page("usage")
    expect(page.get_by_role("link", name="Create a meter")).to_be_visible()


@pytest.mark.usefixtures("system_with_usage")
def test_arrow_keys_move_between_bars(open_page: OpenPage) -> None:
    page = open_page("usage?meter=api-calls&range=24h")
    page.keyboard.press("/")
    expect(page.get_by_label("Meter")).to_be_focused()
    bars = page.locator("[data-chart] .bar")
    labels = bars.evaluate_all("bars => bars.map(bar => bar.getAttribute('aria-label'))")
    target = next(index for index, label in enumerate(labels) if ": all usage 22.5" in label)
    bars.first.focus()
    page.keyboard.press("End")
    # Two bars from the end, or three if an hour has passed since the usage was counted.
    for _ in range(len(labels) - 1 - target):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-readout]")).to_contain_text(": all usage 22.5")
    expect(page.locator("[data-chart] .bar[tabindex='0']")).to_have_count(1)


@pytest.mark.usefixtures("system_with_usage")
@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_page_is_accessible_and_fits(open_page: OpenPage, narrow: bool, dark: bool) -> None:
    page = open_page("usage?meter=api-calls&range=24h&group=customerId&group=region", narrow=narrow, dark=dark)
    page.locator(".cancel summary").click()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_usage_is_compared_with_the_period_before(system: System, open_page: OpenPage) -> None:
    create_meter(system, "api-calls")
    # Two hours, and the two hours before.
    count(system, "api-calls", ("acme", 1, 6, ""), ("acme", 3, 4, ""), ("globex", 2, 1, ""), ("acme", 9, 99, ""))
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((NOW // HOUR - hours) * HOUR)) for hours in (2, 0))
    path = f"usage?meter=api-calls&range=between&from={start}&to={end}&interval=hour&compare=before"
    page = open_page(path)
    expect(page.get_by_text("Total 7, +3 (+75%) against 4 in the period before")).to_be_visible()
    page = open_page(f"{path}&group=customerId")
    assert sorted(read_cells(page.locator(".totals tbody tr"))) == [
        ["acme", "6", "4", "+2 (+50%)"],
        ["globex", "1", "0", "+1"],
    ]
    assert read_cells(page.locator(".totals tfoot tr")) == [["All groups", "7", "4", "+3 (+75%)"]]
    expect(page.get_by_label("Compare with")).to_have_value("before")


def test_the_running_interval_is_marked(system: System, open_page: OpenPage) -> None:
    create_meter(system, "api-calls")
    usages = [{"tenantId": "acme", "meterApiName": "api-calls", "meterValue": value} for value in (2, 3)]
    count_usages(system, [usages[0], {**usages[1], "meterTimeInMillis": (NOW - 26 * HOUR) * 1000}])
    page = open_page("usage?meter=api-calls&interval=day")
    rows = page.locator(".intervals tbody tr")
    expect(rows.last).to_contain_text("so far")
    expect(rows.first).not_to_contain_text("so far")
    assert _bars(page)[-1].endswith(" (not over yet): all usage 2")
    expect(page.locator(".bar.unfinished")).to_have_count(1)


@pytest.mark.usefixtures("system_with_usage")
def test_the_usage_is_exported(console_url: str) -> None:
    query = "meter=api-calls&range=24h&interval=hour&group=customerId"
    response = requests.get(f"{console_url}usage/export.csv?{query}", timeout=30)
    assert response.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    header, *rows = csv.reader(response.text.splitlines())
    assert header == ["customerId", "startTime", "startTimeInSeconds", "value"]
    assert sum(float(row[3]) for row in rows if row[0] == "acme") == 20.5
    exported = requests.get(f"{console_url}usage/export.json?{query}", timeout=30).json()
    assert sum(row["value"] for row in exported if row["customerId"] == "acme") == 20.5
    assert requests.get(f"{console_url}usage/export.csv?meter=none", timeout=30).status_code == 400
