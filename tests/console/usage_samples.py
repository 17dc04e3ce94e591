"""Usage for the tests of the usage pages."""

import time
from typing import Final

from playwright.sync_api import Locator

from amberflo_workflows.local.system import System
from tests.cli.local_metering import count_usages, create_meter

HOSTILE: Final = "<img src=x onerror=\"document.title='taken over'\">"
HOUR: Final = 3600
NOW: Final = int(time.time())


def create_usage(system: System) -> None:
    """Create a meter with dimensions, and usage of three tenants."""
    create_meter(system, "api-calls", dimensions=["region", "method"], unit="calls")
    count(
        system,
        "api-calls",
        ("acme", 3, 3, "eu"),
        ("acme", 2, 17.5, "us"),
        ("globex", 2, 5, "eu"),
        (HOSTILE, 3, 0.25, "us"),
    )


def count(system: System, meter: str, *usages: tuple[str, int, float, str]) -> None:
    """Count usages, each a tuple of tenant, hours ago, value and region."""
    records = [
        {
            "tenantId": tenant,
            "meterApiName": meter,
            "meterValue": value,
            "region": region,
            "meterTimeInMillis": (NOW // HOUR - hours) * HOUR * 1000 + 500,
            "uniqueId": f"{meter}-{number}",
        }
        for number, (tenant, hours, value, region) in enumerate(usages)
    ]
    count_usages(system, records)


def read_cells(rows: Locator) -> list[list[str]]:
    """The texts of the cells of each row."""
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]
