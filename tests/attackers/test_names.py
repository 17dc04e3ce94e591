"""Names that only look like another: usage under them would be taken by Amberflo, and billed to nobody."""

import unicodedata
import uuid

import pytest

from amberflo_workflows.local.system import System
from tests.attackers.deliveries import deliver, event, refused, usage
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

UNSEEN = {
    "a zero-width space": "\u200b",
    "a zero-width joiner": "\u200d",
    "a byte order mark": "\ufeff",
    "a soft hyphen": "\u00ad",
    "a no-break space": "\u00a0",
    "a right-to-left override": "\u202e",
    "a tag": "\U000e0041",
    "a variation selector": "\ufe0f",
    "a Hangul filler": "\u3164",
    "an empty Braille pattern": "\u2800",
    "a line feed": "\n",
    "an escape": "\x1b[31m",
    "a NUL": "\0",
}
ALIKE = {
    "Cyrillic": "\u0430pi-calls",
    "full width": "\uff41pi-calls",
    "composed": unicodedata.normalize("NFC", "api-cälls"),
    "decomposed": unicodedata.normalize("NFD", "api-cälls"),
}


@pytest.mark.parametrize("name", [*ALIKE.values(), "api-\u200bcalls", "api-calls\ufe0f", "api-calls "])
def test_rejects_a_meter_name_that_looks_like_another(system: System, name: str) -> None:
    answer = Api(system).call("POST", "meters", {**METER, "meterApiName": name})
    assert (answer.status, answer.body["details"][0]["field"]) == (400, "meterApiName")
    assert sandbox_of(system).requests()["total"] == 0


@pytest.mark.parametrize("member", ["tenantId", "meterApiName"])
def test_usage_with_invisible_characters_in_a_name_is_rejected_with_the_reason(system: System, member: str) -> None:
    mark, good = str(uuid.uuid4()), {"tenantId": "acme", "meterApiName": "api-calls"}
    wrong = [good[member][:3] + one + good[member][3:] for one in UNSEEN.values()]
    wrong += [f"{good[member]} ", f"\t{good[member]}", f"{good[member]}\u200b", f"\u200b{good[member]}"]
    usages = [usage(**{**good, member: name, "mark": mark}) for name in wrong]
    assert deliver(system, event(*usages, usage(**good))) == []
    assert sandbox_of(system).totals("api-calls") == {"acme": 1}
    reasons = {item["usage"][member]: item["reason"] for item in refused(system, mark)}
    assert reasons.keys() == set(wrong)
    assert reasons[f"{good[member]} "] == f"{member} begins or ends with a blank"
    assert reasons[f"{good[member]}\u200b"] == f"{member} has a character in it that cannot be seen (U+200B)"


def test_usage_with_a_name_in_another_script_is_counted_under_that_name(system: System) -> None:
    # A meter that was made in Amberflo's own console may be called so, and a tenant anything.
    names = [*ALIKE.values(), "api calls"]
    assert deliver(system, event(*(usage(meterApiName=name, tenantId=name) for name in names))) == []
    assert sandbox_of(system).totals("api-calls") == {}
    for name in names:
        assert sandbox_of(system).totals(name) == {name: 1}


@pytest.mark.parametrize("tenant", ["ac\u200bme", "acme\u202e", "ac\nme"])
def test_no_customer_is_created_whose_usage_would_be_rejected(system: System, tenant: str) -> None:
    request = {"id": str(uuid.uuid4()), "detail": {"tenantId": tenant, "tenantName": "Acme"}}
    Runner(system, endpoint=None).run("create_customer", request)
    assert sandbox_of(system).customers() == {}
