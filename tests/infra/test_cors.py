"""The origins of pages that may call the API in a browser."""

from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.operations import list_routes
from amberflo_workflows.infra.settings import InvalidSetting, Settings
from tests.infra.conftest import get_resources
from tests.infra.every_setting import WITH_POOL


def _get_api(template: dict[str, Any]) -> Any:
    (api,) = get_resources(template, "AWS::ApiGatewayV2::Api").values()
    return api


def test_pages_of_the_origins_may_call_every_route(every_setting: dict[str, dict[str, Any]]) -> None:
    cors = _get_api(every_setting[WITH_POOL])["CorsConfiguration"]
    assert cors["AllowOrigins"] == ["https://app.example.com", "http://localhost:3000"]
    assert set(cors["AllowMethods"]) == {route.method for route in list_routes().values()}
    # Without "authorization" by name a browser does not send the token, not even for "*".
    assert set(cors["AllowHeaders"]) == {"authorization", "content-type", "idempotency-key"}
    assert set(cors["ExposeHeaders"]) == {"retry-after", "x-execution-arn"}
    assert "AllowCredentials" not in cors


def test_by_default_no_page_may_call_the_api(aws: dict[str, Any]) -> None:
    assert "CorsConfiguration" not in _get_api(aws)


@pytest.mark.parametrize("origin", ["*", "https://a.example.com", "https://a.b:8443", "http://localhost:3000"])
def test_origins_are_as_browsers_send_them(origin: str) -> None:
    assert Settings.from_context({"corsOrigins": f"{origin}, https://b.c"}.get).cors_origins == (origin, "https://b.c")


@pytest.mark.parametrize(
    "origin", ["https://a.example.com/", "https://A.example.com", "http://a.example.com", "a.example.com", "https://*"]
)
def test_an_origin_that_no_browser_sends_is_rejected(origin: str) -> None:
    with pytest.raises(InvalidSetting, match="corsOrigins must be"):
        Settings.from_context({"corsOrigins": origin}.get)


def test_the_api_of_a_control_plane_keeps_its_own_origins(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="corsOrigins cannot be set"):
        synth("aws", tmp_path / "out", Settings(cors_origins=("*",)), "attach")
