"""Names that look like other names: Amberflo would accept usage under them, and bill it to nobody."""

import unicodedata
import uuid
from collections import Counter

import pytest

from amberflo_workflows.local.system import System
from tests.attackers.deliveries import deliver, event, rejected_usages, usage
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

INVISIBLE = {
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "no-break space": "\u00a0",
    "right-to-left override": "\u202e",
    "tag character": "\U000e0041",
    "variation selector": "\ufe0f",
    "Hangul filler": "\u3164",
    "empty Braille pattern": "\u2800",
    "line feed": "\n",
    "escape sequence": "\x1b[31m",
    "NUL": "\0",
}
SIMILAR_NAMES = {
    "cyrillic": "\u0430pi-calls",
    "full-width": "\uff41pi-calls",
    "composed": unicodedata.normalize("NFC", "api-cälls"),
    "decomposed": unicodedata.normalize("NFD", "api-cälls"),
}
INVALID_METER_NAMES = {
    **SIMILAR_NAMES,
    "zero-width-space": "api-\u200bcalls",
    "variation-selector": "api-calls\ufe0f",
    "trailing-space": "api-calls ",
}
INVALID_TENANTS = {"zero-width-space": "ac\u200bme", "right-to-left-override": "acme\u202e", "line-feed": "ac\nme"}


@pytest.mark.parametrize("name", INVALID_METER_NAMES.values(), ids=INVALID_METER_NAMES.keys())
def test_rejects_a_meter_name_that_looks_like_another(system: System, name: str) -> None:
    response = Api(system).call("POST", "meters", {**METER, "meterApiName": name})
    assert (response.status, response.body["details"][0]["field"]) == (400, "meterApiName")
    assert sandbox_of(system).requests()["total"] == 0


@pytest.mark.meters("api-calls")
@pytest.mark.parametrize("member", ["tenantId", "meterApiName"])
def test_usage_with_invisible_characters_in_a_name_is_rejected_with_the_reason(system: System, member: str) -> None:
    mark, valid = str(uuid.uuid4()), {"tenantId": "acme", "meterApiName": "api-calls"}
    name = valid[member]
    invalid_names = [name[:3] + character + name[3:] for character in INVISIBLE.values()]
    invalid_names += [f"{name} ", f"\t{name}", f"{name}\u200b", f"\u200b{name}"]
    usages = [usage(**{**valid, member: invalid_name, "mark": mark}) for invalid_name in invalid_names]
    assert deliver(system, event(*usages, usage(**valid))) == []
    assert sandbox_of(system).totals("api-calls") == {"acme": 1}
    reasons = {item["usage"][member]: item["reason"] for item in rejected_usages(system, mark)}
    assert reasons.keys() == set(invalid_names)
    assert reasons[f"{name} "] == f"{member} starts or ends with whitespace"
    assert reasons[f"{name}\u200b"] == f"{member} contains an invisible character (U+200B)"


def test_usage_with_a_name_in_another_script_is_counted_under_that_name(system: System) -> None:
    # A meter that was created in Amberflo's own console may have such a name, and a tenant may have any name.
    # The last name is new, so that the step reads the list of meters again. It does not for names that only Amberflo's
    # console gives.
    names = [*SIMILAR_NAMES.values(), "api calls", f"meter-{uuid.uuid4()}"]
    sandbox_of(system).create_meters(*(unicodedata.normalize("NFC", name) for name in names))
    assert deliver(system, event(*(usage(meterApiName=name, tenantId=name) for name in names))) == []
    assert sandbox_of(system).totals("api-calls") == {}
    # The composed and the decomposed form are one name.
    for name, count in Counter(unicodedata.normalize("NFC", name) for name in names).items():
        assert sandbox_of(system).totals(name) == {name: count}


@pytest.mark.parametrize("tenant", INVALID_TENANTS.values(), ids=INVALID_TENANTS.keys())
def test_no_customer_is_created_whose_usage_would_be_rejected(system: System, tenant: str) -> None:
    request = {"id": str(uuid.uuid4()), "detail": {"tenantId": tenant, "tenantName": "Acme"}}
    Runner(system, endpoint=None).run("create_customer", request)
    assert sandbox_of(system).customers() == {}
