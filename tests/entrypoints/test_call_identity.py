"""The identity of a call with an ``Idempotency-Key``, in the emulator's DynamoDB."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.entrypoints import call_identity
from amberflo_workflows.entrypoints.call_identity import (
    KEY_LIFETIME_SECONDS,
    InvalidKey,
    KeyConflict,
    KeyStoreUnavailable,
    get_or_create_identity,
)
from amberflo_workflows.local.emulator import Emulator
from tests.histories.lambdas import Context
from tests.tables import running_table

TABLE = "CallIdentities"
BODY = {"tenantId": "acme", "meterValue": 1}


@pytest.fixture
def dynamodb(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {**emulator.environment, "IDEMPOTENCY_TABLE_NAME": TABLE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(call_identity, "_WAIT_SECONDS", 0)
    call_identity._identity_store.cache_clear()
    with running_table(emulator, TABLE) as client:
        yield client
    call_identity._identity_store.cache_clear()


def _identify(key: str = "key", caller: Any = "ann", body: Any = None) -> Any:
    return get_or_create_identity(key, caller=caller, body=body or BODY, context=Context())  # type: ignore[arg-type]


def test_a_repeated_call_has_the_identity_of_the_first_also_in_a_new_process(dynamodb: Any) -> None:
    first = _identify()
    call_identity._identity_store.cache_clear()
    assert _identify() == first
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    assert 0 <= int(item["expiration"]["N"]) - time.time() - KEY_LIFETIME_SECONDS + 60 <= 60


@pytest.mark.usefixtures("dynamodb")
def test_another_key_or_caller_has_another_identity() -> None:
    calls: list[dict[str, Any]] = [{}, {"key": "another"}, {"caller": "bob"}, {"caller": ["iam", "userArn", "ann", ""]}]
    assert len({_identify(**call)["id"] for call in calls * 2}) == 4


@pytest.mark.usefixtures("dynamodb")
def test_the_same_key_with_another_body_is_a_conflict() -> None:
    first = _identify()
    with pytest.raises(KeyConflict):
        _identify(body={**BODY, "meterValue": 2})
    assert _identify(body={**BODY, "meterValue": 1.0}) == first


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\u200b"])
def test_an_invalid_key_is_an_error(key: str) -> None:
    with pytest.raises(InvalidKey):
        _identify(key)


@pytest.mark.usefixtures("dynamodb")
def test_a_key_of_the_maximum_length_is_valid() -> None:
    assert _identify("x" * 255) == _identify("x" * 255)


def test_a_caller_that_is_not_known_cannot_have_a_key() -> None:
    with pytest.raises(InvalidKey, match="does not tell who calls"):
        _identify(caller=None)


def test_a_key_in_progress_is_awaited_and_then_an_error(dynamodb: Any) -> None:
    """The process of the first call ended in the middle, or is slow."""
    first = _identify()
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    now = int(time.time())
    item |= {"status": {"S": "INPROGRESS"}, "in_progress_expiration": {"N": str((now + 60) * 1000)}}
    dynamodb.put_item(TableName=TABLE, Item=item)
    call_identity._identity_store.cache_clear()
    with pytest.raises(KeyStoreUnavailable, match="in progress"):
        _identify()
    dynamodb.put_item(TableName=TABLE, Item={**item, "in_progress_expiration": {"N": str((now - 1) * 1000)}})
    assert _identify()["id"] != first["id"]


@pytest.mark.usefixtures("dynamodb")
def test_a_table_that_cannot_be_used_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEMPOTENCY_TABLE_NAME", "not-there")
    with pytest.raises(KeyStoreUnavailable, match="could not be read"):
        _identify()
