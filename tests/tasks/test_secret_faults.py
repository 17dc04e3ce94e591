from collections.abc import Iterator

import pytest

from amberflo_workflows.tasks.amberflo import api_key
from amberflo_workflows.tasks.amberflo.errors import ApiKeyUnavailable
from tests.secrets_manager import SecretFault, SecretsManager, run_faulty_secrets_manager
from tests.tasks.conftest import SECRET, Steps


@pytest.fixture
def secrets(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    with run_faulty_secrets_manager(steps.emulator.url) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", fake.url)
        yield fake


@pytest.mark.parametrize(
    ("failing", "calls", "reason"),
    [
        (
            SecretFault(400, "ThrottlingException"),
            2,
            "did not return the secret 'AmberfloApiKey' (ThrottlingException)",
        ),
        (
            SecretFault(500, "InternalServiceError"),
            2,
            "did not return the secret 'AmberfloApiKey' (InternalServiceError)",
        ),
        (SecretFault(400, "AccessDeniedException"), 1, "did not return the secret 'AmberfloApiKey' (AccessDenied"),
        (SecretFault(400, "DecryptionFailure"), 1, "did not return the secret 'AmberfloApiKey' (DecryptionFailure)"),
        (SecretFault(seconds=0), 2, "could not be reached for the secret 'AmberfloApiKey' (RemoteDisconnected)"),
    ],
    ids=["throttling", "failing", "denied", "no key to it", "dropping"],
)
def test_an_error_of_secrets_manager_is_reported_until_it_ends(
    steps: Steps, secrets: SecretsManager, failing: SecretFault, calls: int, reason: str
) -> None:
    secrets.fault = failing
    with pytest.raises(ApiKeyUnavailable) as error_info:
        steps.resolve()
    assert reason in str(error_info.value)
    assert (secrets.calls, "key-1" in str(error_info.value)) == (calls, False)
    secrets.fault = None
    assert steps.run("list_meters", {})["statusCode"] == 200


@pytest.mark.parametrize("failing", [SecretFault(400, "ThrottlingException", times=1), SecretFault(seconds=0, times=1)])
def test_one_failed_read_is_retried_by_the_client(steps: Steps, secrets: SecretsManager, failing: SecretFault) -> None:
    secrets.fault = failing
    assert steps.resolve()["versionId"]
    assert secrets.calls == 2


def test_an_unreachable_secrets_manager_is_reported(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
    with pytest.raises(ApiKeyUnavailable, match=rf"could not be reached for the secret '{SECRET}' \(ConnectionRefused"):
        steps.resolve()


def test_a_warm_step_does_not_call_secrets_manager(steps: Steps, secrets: SecretsManager) -> None:
    assert steps.run("list_meters", {})["statusCode"] == 200
    assert secrets.calls == 1
    secrets.fault = SecretFault(500, "InternalServiceError")
    assert steps.run("list_meters", {})["statusCode"] == 200
    assert secrets.calls == 1
    with pytest.raises(ApiKeyUnavailable, match="InternalServiceError"):
        steps.resolve(refresh=True)
    assert steps.run("list_meters", {})["statusCode"] == 200, "a failed refresh takes nothing away"


@pytest.mark.parametrize(
    ("failing", "is_outage"),
    [
        (SecretFault(400, "ThrottlingException"), True),
        (SecretFault(500, "InternalServiceError"), True),
        (SecretFault(seconds=0), True),
        (SecretFault(400, "AccessDeniedException"), False),
        (SecretFault(400, "ResourceNotFoundException"), False),
    ],
    ids=["throttling", "failing", "dropping", "denied", "deleted"],
)
def test_an_expired_version_is_used_during_an_outage_and_after_no_other_error(
    steps: Steps, secrets: SecretsManager, monkeypatch: pytest.MonkeyPatch, failing: SecretFault, *, is_outage: bool
) -> None:
    before = steps.resolve()
    # Instead of waiting five minutes.
    monkeypatch.setattr(api_key.api_keys(), "_current_until", 0.0)
    secrets.fault = failing
    if is_outage:
        assert steps.resolve() == before
        calls = secrets.calls
        assert (steps.resolve(), secrets.calls) == (before, calls), "it is not called each time"
    else:
        with pytest.raises(ApiKeyUnavailable):
            steps.resolve()
