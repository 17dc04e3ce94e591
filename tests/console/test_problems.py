"""Errors on pages of the console."""

import pytest
import requests

from amberflo_workflows.console.problems import describe, describe_plainly
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.api_client import ApiError
from amberflo_workflows.operate.errors import OperatorError
from tests.conftest import sandbox_of

# What these pages show does not come from Amberflo.
NEEDS_NO_AMBERFLO = {"tenants/acme/history", "usage/latest", "usage/rules", "reconciliations"}
ARN = "arn:aws:states:us-east-1:000000000000:express:Get:a:b"


@pytest.mark.parametrize(
    ("error", "html"),
    [
        (OperatorError("No <b>meter</b>."), "No &lt;b&gt;meter&lt;/b&gt;."),
        (ValueError("<i>"), "&lt;i&gt;"),
        (OperatorError("<x>", see="executions list"), '&lt;x&gt; <a href="/executions">List executions</a>'),
        (
            ApiError(400, "Wrong.", see=f"executions show {ARN}", program="metering"),
            f'Wrong. <a href="/executions/{ARN.replace(":", "%3A")}">Open the execution</a>',
        ),
        (OperatorError("No.", see="meters list"), "No. See: metering meters list"),
    ],
    ids=str,
)
def test_a_command_becomes_a_link(error: Exception, html: str) -> None:
    assert describe(error) == html


def test_as_text_an_error_names_the_command_and_on_its_own_it_does_not() -> None:
    error = OperatorError("It was not found.", see="executions list", program="metering --stack S")
    assert str(error) == "It was not found. See: metering --stack S executions list"
    assert describe_plainly(error) == "It was not found."


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("executions/no-arn", "/executions"),
        (f"executions/{ARN}", "/executions"),
        ("usage?meter=nothing", "Open the execution"),
    ],
)
def test_no_error_page_names_a_command(console_url: str, address: str, link: str) -> None:
    text = requests.get(f"{console_url}{address}", timeout=60).text
    main = text[text.index("<main") :]
    assert "metering " not in main
    assert link in main


@pytest.mark.emulator
@pytest.mark.meters("api-calls")
@pytest.mark.parametrize(
    "address",
    [
        *("meters", "meters/an-id", "tenants", "tenants/acme", "tenants/acme/usage", "tenants/acme/history"),
        *("usage", "usage?meter=api-calls", "usage/latest", "usage/rules", "overview/meters", "reconciliations"),
        "usage/records/rows?meter=api-calls&tenant=acme&from=2h&to=1h",
    ],
)
def test_while_amberflo_is_down_a_page_has_links_and_no_commands(
    system: System, console_url: str, address: str
) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    response = requests.get(f"{console_url}{address}", timeout=60)
    assert response.status_code in {200, 400, 502}, response.text
    assert "executions show " not in response.text
    if address not in NEEDS_NO_AMBERFLO:
        assert "Open the execution" in response.text
