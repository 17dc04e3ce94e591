import pytest

from amberflo_workflows.tasks.amberflo import api_key, config
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnauthorized, ApiKeyUnavailable
from tests.tasks.conftest import SECRET, Steps


def test_returns_the_version_and_not_the_key(steps: Steps) -> None:
    resolved = steps.resolve()
    assert set(resolved) == {"secretId", "versionId", "refreshed"}
    assert resolved["secretId"] == SECRET
    assert "key-1" not in str(resolved)


def test_the_secret_can_be_named_by_its_arn(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = steps.emulator.client("secretsmanager").describe_secret(SecretId=SECRET)["ARN"]
    monkeypatch.setenv("AMBERFLO_API_KEY_SECRET_ID", arn)
    config.secret_location.cache_clear()
    api_key.api_keys.cache_clear()
    assert steps.resolve()["secretId"] == arn
    assert steps.run("list_meters", {})["statusCode"] == 200


def test_a_refresh_returns_the_rotated_key(steps: Steps) -> None:
    old = steps.resolve()
    steps.put_secret(SecretString='{"apiKey": "key-2"}')
    assert steps.resolve() == old
    new = steps.resolve(refresh=True)
    assert new["refreshed"] is True
    assert new["versionId"] != old["versionId"]
    steps.sandbox.set_keys(["key-2"])
    assert steps.run("list_meters", {})["statusCode"] == 200


def test_a_version_from_before_two_rotations_is_unauthorized(steps: Steps) -> None:
    old = steps.resolve()
    for key in ("key-2", "key-3"):
        steps.put_secret(SecretString=f'{{"apiKey": "{key}"}}')
    api_key.api_keys.cache_clear()
    with pytest.raises(AmberfloUnauthorized, match="it was rotated"):
        api_key.api_keys().key(old["versionId"])


def test_a_process_keeps_the_keys_of_the_latest_versions(steps: Steps) -> None:
    versions = [steps.resolve()["versionId"]]
    for number in range(2, 8):
        steps.put_secret(SecretString=f'{{"apiKey": "key-{number}"}}')
        versions.append(steps.resolve(refresh=True)["versionId"])
    keys = api_key.api_keys()
    assert [keys.key(version) for version in versions[-4:]] == ["key-4", "key-5", "key-6", "key-7"]
    with pytest.raises(AmberfloUnauthorized):
        keys.key(versions[0])


def test_an_earlier_version_is_read_by_its_id(steps: Steps) -> None:
    """By a new process, whose workflow resolved the version before the rotation."""
    old = steps.resolve()
    steps.put_secret(SecretString='{"apiKey": "key-2"}')
    new = steps.resolve(refresh=True)
    api_key.api_keys.cache_clear()
    assert [api_key.api_keys().key(resolved["versionId"]) for resolved in (old, new)] == ["key-1", "key-2"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"SecretString": " "}, "is empty"),
        ({"SecretString": "\ufeff\n"}, "is empty"),
        ({"SecretString": "key-1"}, "is not JSON"),
        ({"SecretString": '{"other": "key-1"}'}, "has no text in its field 'apiKey'"),
        ({"SecretString": '{"apiKey": ""}'}, "has no text in its field 'apiKey'"),
        ({"SecretString": '["key-1"]'}, "has no text in its field 'apiKey'"),
        ({"SecretString": '{"apiKey": "a\\nb"}'}, "is not an API key"),
        ({"SecretBinary": b"key-1"}, "is binary"),
    ],
)
def test_an_invalid_secret_is_an_error_until_it_is_fixed(steps: Steps, value: dict[str, str], reason: str) -> None:
    steps.put_secret(**value)
    for _ in range(2):
        with pytest.raises(ApiKeyUnavailable, match=reason) as error_info:
            steps.resolve()
        assert "key-1" not in str(error_info.value)
    steps.put_secret(SecretString='{"apiKey": "key-1"}')
    assert steps.resolve()["versionId"]


def test_a_secret_may_begin_with_a_byte_order_mark(steps: Steps) -> None:
    steps.put_secret(SecretString='\ufeff{"apiKey": "key-1"}')
    assert steps.resolve()["versionId"]


def test_a_missing_secret_is_an_error_until_it_is_created(steps: Steps) -> None:
    steps.emulator.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    with pytest.raises(ApiKeyUnavailable, match="does not exist"):
        steps.resolve()
    steps.emulator.client("secretsmanager").create_secret(Name=SECRET, SecretString='{"apiKey": "key-1"}')
    assert steps.resolve()["versionId"]
