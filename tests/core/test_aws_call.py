"""Calls with and without boto3, which have the same results and errors."""

import boto3
import pytest

from amberflo_workflows.core import aws_call
from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.entrypoints.workflows import step_functions
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.tasks.amberflo.api_key import SECRETS_MANAGER
from tests.tasks.hostile import build_response, run_hostile_server

STEP_FUNCTIONS = step_functions(read_seconds=1)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
REGIONS = ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"]


@pytest.fixture(params=["direct", "boto3"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    if request.param == "boto3":
        # It is not used for an endpoint over HTTP.
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


@pytest.mark.emulator
@pytest.mark.usefixtures("environment")
def test_a_call_returns_the_response_or_the_error(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    secrets = emulator.client("secretsmanager")
    secrets.create_secret(Name="direct-call", SecretString='{"apiKey": "k\u00e9y"}')
    response = SECRETS_MANAGER.call("GetSecretValue", {"SecretId": "direct-call"}, repeatable=True)
    secrets.delete_secret(SecretId="direct-call", ForceDeleteWithoutRecovery=True)
    assert response["SecretString"] == '{"apiKey": "k\u00e9y"}'
    with pytest.raises(AwsError) as error_info:
        SECRETS_MANAGER.call("GetSecretValue", {"SecretId": "direct-call"}, repeatable=False)
    assert (error_info.value.code, error_info.value.status) == ("ResourceNotFoundException", 400)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("response", "code", "status"),
    [
        (build_response(b'{"__type": "com.amazon#Throttling:http://x"}', status="400 Bad"), "Throttling", 400),
        (build_response(b"<html>", status="503 Unavailable"), None, 503),
    ],
    ids=["namespace", "no JSON"],
)
def test_an_error_has_its_name_and_status(
    monkeypatch: pytest.MonkeyPatch, response: bytes, code: str | None, status: int
) -> None:
    with run_hostile_server() as server:
        server.script = [response]
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(AwsError) as error_info:
            SECRETS_MANAGER.call("GetSecretValue", {"SecretId": "s"}, repeatable=False)
    assert error_info.value.status == status
    assert code is None or error_info.value.code == code


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("script", "was_sent", "timed_out"),
    [([], True, False), ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], True, False), ([30.0], True, True)],
    ids=["closed", "cut off", "late"],
)
def test_no_response_says_what_may_have_happened(
    monkeypatch: pytest.MonkeyPatch, script: list[bytes | float], *, was_sent: bool, timed_out: bool
) -> None:
    with run_hostile_server() as server:
        server.script = script
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(NoResponse) as error_info:
            STEP_FUNCTIONS.call("StartSyncExecution", {"stateMachineArn": MACHINE}, repeatable=False)
        assert server.connections == 1
    assert (error_info.value.was_sent, error_info.value.timed_out) == (was_sent, timed_out)


@pytest.mark.usefixtures("environment")
def test_a_refused_connection_was_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NoResponse) as error_info:
        STEP_FUNCTIONS.call("StartSyncExecution", {"stateMachineArn": MACHINE}, repeatable=True)
    assert (error_info.value.was_sent, error_info.value.timed_out) == (False, False)


@pytest.mark.parametrize("region", REGIONS)
def test_the_urls_are_those_of_boto3(region: str) -> None:
    for api in (SECRETS_MANAGER, STEP_FUNCTIONS):
        url = boto3.client(api.service, region_name=region).meta.endpoint_url  # type: ignore[call-overload] # a variable
        # boto3 adds the prefix of the operation when it sends the request.
        assert aws_call._build_url(api.host.removeprefix("sync-"), region) == url


@pytest.mark.parametrize("region", ["us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", ""])
def test_boto3_makes_the_calls_of_other_partitions(region: str) -> None:
    assert aws_call._build_url("states", region) is None


@pytest.mark.parametrize("region", ["us-iso-east-1", "eusc-de-east-1"])
def test_other_partitions_have_other_domains(region: str) -> None:
    """Why boto3 makes their calls."""
    assert ".amazonaws.com" not in boto3.client("secretsmanager", region_name=region).meta.endpoint_url
