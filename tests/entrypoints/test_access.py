"""Access to the deployed API: the scopes of a machine's token, and people who sign in."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE, Settings
from amberflo_workflows.local import tokens
from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.expired_tokens import build_expired_token
from amberflo_workflows.local.system import System
from tests.entrypoints.calls import Api
from tests.entrypoints.test_api import ROUTES

pytestmark = pytest.mark.emulator

EMAIL = "admin@example.com"
PASSWORD = "Correct-horse-battery-1"
STACK = "WithAnAdmin"


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda part: str(part)[:20])
def test_each_route_requires_its_scope(system: System, method: str, path: str, body: Any) -> None:
    required = "read" if method == "GET" else "write"
    for scope in ("read", "write"):
        api = Api(system, tokens.fetch_access_token(system.emulator, system.outputs, tokens.SCOPES[scope]))
        status = api.call(method, path.replace("{id}", "x"), body).status
        assert (status == 403) == (scope != required), (scope, status)


def test_an_expired_token_is_rejected(system: System, system_folder: Path) -> None:
    api = Api(system)
    assert api.call("GET", "meters").status == 200
    expired = build_expired_token(api.token, system_folder / "emulator", system.outputs["UserPoolId"])
    assert Api(system, expired).call("GET", "meters").status == 401


def test_an_administrator_who_signs_in_may_read_and_change(system: System, tmp_path: Path) -> None:
    settings = Settings(
        stack_name=STACK,
        amberflo_base_url=system.amberflo_url,
        admin_email=EMAIL,
        read_scope=READ_SCOPE,
        write_scope=WRITE_SCOPE,
    )
    assembly = synth("local", tmp_path / "out", settings)
    admin = _remove_user(assembly / f"{STACK}.template.json")
    outputs = deploy(system.emulator, assembly, STACK)
    try:
        admin_system = System(system.emulator, outputs, system.sandbox, None, system.amberflo_url)
        system.client("cognito-idp").admin_create_user(
            UserPoolId=outputs["UserPoolId"],
            Username=admin["Username"],
            DesiredDeliveryMediums=admin["DesiredDeliveryMediums"],
            UserAttributes=admin["UserAttributes"],
        )
        api = Api(admin_system, _sign_in(admin_system))
        name = f"meter-{uuid.uuid4()}"[:40]
        body = {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage"}
        assert api.call("POST", "meters", body).status == 201
        assert [meter["label"] for meter in api.call("GET", "meters").body["data"]] == [name]
    finally:
        system.client("cloudformation").delete_stack(StackName=STACK)


def _remove_user(template: Path) -> Any:
    """Remove the user from a template and return its properties: the emulator's CloudFormation cannot create one."""
    definition = json.loads(template.read_text())
    resources = definition["Resources"]
    (name,) = [name for name, resource in resources.items() if resource["Type"] == "AWS::Cognito::UserPoolUser"]
    user = resources.pop(name)["Properties"]
    template.write_text(json.dumps(definition))
    return user


def _sign_in(system: System) -> str:
    """Return the access token after the first sign-in, where the user replaces the password from the email."""
    cognito, pool = system.client("cognito-idp"), system.outputs["UserPoolId"]
    (user,) = cognito.list_users(UserPoolId=pool)["Users"]
    assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    # The test cannot read the email.
    cognito.admin_set_user_password(UserPoolId=pool, Username=user["Username"], Password=PASSWORD, Permanent=True)
    response = cognito.initiate_auth(
        ClientId=system.outputs["UserClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": EMAIL, "PASSWORD": PASSWORD},
    )
    return str(response["AuthenticationResult"]["AccessToken"])
