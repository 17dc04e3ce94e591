"""Call the deployed HTTP API as its users do."""

import json
from dataclasses import dataclass, field
from typing import Any

import requests

from amberflo_workflows.local.system import System

METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}


@dataclass(frozen=True)
class ApiResult:
    status: int
    body: Any
    headers: Any


@dataclass
class Api:
    system: System
    token: str = field(default="")

    def __post_init__(self) -> None:
        self.token = self.token or self.system.access_token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> ApiResult:
        data = body if isinstance(body, bytes | str) or body is None else json.dumps(body)
        all_headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        response = requests.request(method, self.system.api_endpoint + path, data=data, headers=all_headers, timeout=60)
        return ApiResult(response.status_code, response.json(), response.headers)


def create_meter(api: Api) -> Any:
    response = api.call("POST", "meters", METER)
    assert response.status == 201, response
    return response.body["data"]
