"""Who may call the deployed API: the scopes of a machine's token, and people who sign in."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE, Settings
from amberflo_workflows.local import tokens
from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.system import System
from tests.entrypoints.calls import Api
from tests.entrypoints.test_api import ROUTES

pytestmark = pytest.mark.emulator

EMAIL = "admin@example.com"
PASSWORD = "Correct-horse-battery-1"
STACK = "WithAnAdmin"


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda part: str(part)[:20])
def test_reading_and_changing_take_a_token_for_just_that(system: System, method: str, path: str, body: Any) -> None:
    reads = method == "GET"
    for scope in ("read", "write"):
        api = Api(system, tokens.access_token(system.emulator, system.outputs, tokens.SCOPES[scope]))
        status = api.call(method, path.replace("{id}", "x"), body).status
        assert (status == 403) == (reads != (scope == "read")), (scope, status)


def test_a_token_that_has_run_out_is_refused(system: System, system_folder: Path) -> None:
    api = Api(system)
    assert api.call("GET", "meters").status == 200
    expired = tokens.expired(api.token, system_folder / "emulator", system.outputs["UserPoolId"])
    assert Api(system, expired).call("GET", "meters").status == 401


def test_an_administrator_signs_in_and_may_read_and_change(system: System, tmp_path: Path) -> None:
    settings = Settings(
        stack_name=STACK,
        amberflo_base_url=system.amberflo_url,
        admin_email=EMAIL,
        read_scope=READ_SCOPE,
        write_scope=WRITE_SCOPE,
    )
    assembly = synth("local", tmp_path / "out", settings)
    admin = _without_the_user(assembly / f"{STACK}.template.json")
    outputs = deploy(system.emulator, assembly, STACK)
    try:
        theirs = System(system.emulator, outputs, system.sandbox, None, system.amberflo_url)
        system.client("cognito-idp").admin_create_user(
            UserPoolId=outputs["UserPoolId"],
            Username=admin["Username"],
            DesiredDeliveryMediums=admin["DesiredDeliveryMediums"],
            UserAttributes=admin["UserAttributes"],
        )
        api = Api(theirs, _signed_in(theirs))
        name = f"meter-{uuid.uuid4()}"[:40]
        body = {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage"}
        assert api.call("POST", "meters", body).status == 201
        assert [meter["label"] for meter in api.call("GET", "meters").body["data"]] == [name]
    finally:
        system.client("cloudformation").delete_stack(StackName=STACK)


def _without_the_user(template: Path) -> Any:
    """Take the user out of a template and give its properties: the emulator's CloudFormation cannot make one."""
    found = json.loads(template.read_text())
    (name,) = [name for name, item in found["Resources"].items() if item["Type"] == "AWS::Cognito::UserPoolUser"]
    user = found["Resources"].pop(name)["Properties"]
    template.write_text(json.dumps(found))
    return user


def _signed_in(system: System) -> str:
    """The access token after the first sign-in, with the password that was mailed, for which a new one is chosen."""
    cognito, pool = system.client("cognito-idp"), system.outputs["UserPoolId"]
    (user,) = cognito.list_users(UserPoolId=pool)["Users"]
    assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    # The mail cannot be read here.
    cognito.admin_set_user_password(UserPoolId=pool, Username=user["Username"], Password=PASSWORD, Permanent=True)
    signed_in = cognito.initiate_auth(
        ClientId=system.outputs["UserClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": EMAIL, "PASSWORD": PASSWORD},
    )
    return str(signed_in["AuthenticationResult"]["AccessToken"])
