import pytest

from amberflo_workflows.tasks.amberflo import api_key
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnauthorized, ApiKeyUnavailable
from tests.tasks.conftest import SECRET, Steps


def test_the_version_is_told_and_the_key_is_not(steps: Steps) -> None:
    resolved = steps.resolve()
    assert set(resolved) == {"secretId", "versionId", "refreshed"}
    assert resolved["secretId"] == SECRET
    assert "key-1" not in str(resolved)


def test_a_rotated_key_is_seen_on_refresh_and_its_old_version_can_still_be_read(steps: Steps) -> None:
    old = steps.resolve()
    steps.put_secret(SecretString='{"apiKey": "key-2"}')
    assert steps.resolve() == old
    new = steps.resolve(refresh=True)
    assert new["refreshed"] is True
    assert new["versionId"] != old["versionId"]
    steps.sandbox.set_keys(["key-2"])
    assert steps.run("list_meters", {})["statusCode"] == 200


def test_a_version_that_two_rotations_have_swept_away_leads_to_the_refresh(steps: Steps) -> None:
    old = steps.resolve()
    for key in ("key-2", "key-3"):
        steps.put_secret(SecretString=f'{{"apiKey": "{key}"}}')
    api_key.api_keys.cache_clear()
    with pytest.raises(AmberfloUnauthorized, match="it was rotated"):
        api_key.api_keys().key(old["versionId"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"SecretString": " "}, "is empty"),
        ({"SecretString": "key-1"}, "is not JSON"),
        ({"SecretString": '{"other": "key-1"}'}, "has no text in its field 'apiKey'"),
        ({"SecretString": '{"apiKey": ""}'}, "has no text in its field 'apiKey'"),
        ({"SecretString": '["key-1"]'}, "has no text in its field 'apiKey'"),
        ({"SecretString": '{"apiKey": "a\\nb"}'}, "is not an API key"),
        ({"SecretBinary": b"key-1"}, "is binary"),
    ],
)
def test_a_secret_that_holds_no_key_says_why_each_time_and_heals_when_mended(
    steps: Steps, value: dict[str, str], reason: str
) -> None:
    steps.put_secret(**value)
    for _ in range(2):
        with pytest.raises(ApiKeyUnavailable, match=reason) as raised:
            steps.resolve()
        assert "key-1" not in str(raised.value)
    steps.put_secret(SecretString='{"apiKey": "key-1"}')
    assert steps.resolve()["versionId"]


def test_a_missing_secret_says_so(steps: Steps) -> None:
    steps.emulator.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    with pytest.raises(ApiKeyUnavailable, match="does not exist"):
        steps.resolve()
    steps.emulator.client("secretsmanager").create_secret(Name=SECRET, SecretString='{"apiKey": "key-1"}')
    assert steps.resolve()["versionId"]
