"""The pages of meters, in a real browser."""

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.cli.local_metering import create_meter
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


def test_a_meter_is_created_changed_deprecated_and_deleted(system: System, open_page: OpenPage) -> None:
    page = open_page("meters")
    expect(page.get_by_text("No meters yet.")).to_be_visible()
    page.get_by_role("link", name="Create a meter").click()
    page.get_by_label("Label").fill(HOSTILE)
    page.get_by_label("API name").fill("users")
    page.get_by_label("Type").select_option("active_users")
    page.locator("[name=dimensions]").fill("region\n plan \n")
    page.get_by_role("button", name="Create").click()
    # The field that is invalid says so, and nothing that was entered is lost.
    expect(page.locator("[name=aggregationDimensions]")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("counts the values of at least one dimension")
    assert_accessible(page)
    page.locator("[name=aggregationDimensions]").fill("user")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status").filter(has_text="The meter was created.")).to_be_visible()
    (meter,) = Api(system).call("GET", "meters").body["data"]
    expected = {"label": HOSTILE, "meterApiName": "users", "dimensions": ["region", "plan"]}
    assert meter.items() >= {**expected, "aggregationDimensions": ["user"], "useInBilling": False}.items()
    # A change sends only what differs, so that a change of another user in between stays.
    Api(system).call("PUT", f"meters/{meter['id']}", {"unit": "people"})
    page.locator("[name=description]").fill("Who came.")
    page.get_by_label("Status").select_option("deprecated")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="The meter was changed.")).to_be_visible()
    changed = Api(system).call("GET", f"meters/{meter['id']}").body["data"]
    assert changed.items() >= {**expected, "description": "Who came.", "unit": "people"}.items()
    assert changed["lockingStatus"] == "deprecated"
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    for text in ("Delete the meter users?", HOSTILE, "region, plan", "This cannot be undone."):
        expect(dialog).to_contain_text(text)
    assert_accessible(page)
    dialog.get_by_role("button", name="Delete this meter").click()
    expect(page.get_by_text("The meter was deleted.")).to_be_visible()
    assert Api(system).call("GET", "meters").body["data"] == []


def test_what_amberflo_rejects_is_shown_in_the_form(system: System, open_page: OpenPage) -> None:
    create_meter(system, "api-calls")
    page = open_page("meters/new")
    page.get_by_label("Label").fill("Other")
    page.get_by_label("API name").fill("api-calls")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("Meter already exists with 'meterApiName': api-calls")
    expect(page.get_by_label("Label")).to_have_value("Other")


def test_the_list_says_why_it_is_missing(system: System, open_page: OpenPage) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    page = open_page("meters", allow_failed_requests=True)
    expect(page.get_by_role("alert")).to_contain_text("The meters cannot be shown. The API responded with 502")
    sandbox_of(system).clear_faults()
    create_meter(system, "api-calls")
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("link", name="api-calls", exact=True)).to_be_visible()


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_pages_are_accessible_and_fit(system: System, open_page: OpenPage, narrow: bool, dark: bool) -> None:
    meter = create_meter(system, "x" * 50, dimensions=["region", "y" * 60], description="d" * 300)
    for path in ("meters", f"meters/{meter['id']}"):
        page = open_page(path, narrow=narrow, dark=dark)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
