from itertools import combinations
from typing import Any

import pytest

from amberflo_workflows.entrypoints.caller import read_caller

ARN = "arn:aws:iam::123456789012:user/ann"
SESSION = "arn:aws:sts::123456789012:assumed-role/Users/CognitoIdentityCredentials"

CALLERS: dict[str, dict[str, Any]] = {
    "subject": {"jwt": {"claims": {"sub": "a", "client_id": "app", "iss": "https://issuer", "exp": "1"}}},
    "another subject": {"jwt": {"claims": {"sub": "b", "client_id": "app"}}},
    "client": {"jwt": {"claims": {"client_id": "a"}}},
    "client of another issuer": {"jwt": {"claims": {"client_id": "a", "iss": "https://issuer"}}},
    "authorized party": {"jwt": {"claims": {"azp": "a"}}},
    "user": {"iam": {"accountId": "123456789012", "callerId": "AIDA", "userArn": ARN, "userId": "AIDA"}},
    "another user": {"iam": {"accountId": "123456789012", "callerId": "AIDB", "userArn": ARN + "a", "userId": "AIDB"}},
    "user of a pool": {"iam": {"userArn": SESSION, "cognitoIdentity": {"identityId": "us-east-1:a"}}},
    "another user of a pool": {"iam": {"userArn": SESSION, "cognitoIdentity": {"identityId": "us-east-1:b"}}},
    "user without an ARN": {"iam": {"userArn": None, "userId": "AIDA"}},
    "principal": {"lambda": {"principalId": "a", "requestedAt": "1"}},
    "another principal": {"lambda": {"principalId": "b"}},
    "subject in a context": {"lambda": {"sub": "a"}},
    "number in a context": {"lambda": {"clientId": 7}},
}


def _read(authorizer: Any) -> Any:
    return read_caller({"requestContext": {"authorizer": authorizer}})


def test_each_identity_is_another_caller() -> None:
    for (name, first), (other_name, second) in combinations(CALLERS.items(), 2):
        assert _read(first) != _read(second), (name, other_name)
        assert _read(first) is not None


def test_a_subject_is_the_caller_of_version_0_1() -> None:
    assert _read(CALLERS["subject"]) == "a"


@pytest.mark.parametrize("name", ["exp", "jti", "iat", "requestedAt", "accessKey", "scope"])
def test_what_changes_from_call_to_call_is_not_part_of_the_caller(name: str) -> None:
    for kind, path in (("client", ("jwt", "claims")), ("user", ("iam",)), ("principal", ("lambda",))):
        (first, *_), members = path, CALLERS[kind]
        for part in path:
            members = members[part]
        changed: dict[str, Any] = {**members, name: "changed"}
        assert _read({first: {"claims": changed} if first == "jwt" else changed}) == _read(CALLERS[kind])


def test_a_principal_outside_the_context_is_the_same_caller() -> None:
    assert _read({"principalId": "a"}) == _read(CALLERS["principal"])


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        "text",
        {"jwt": None},
        {"jwt": {"claims": {"scope": "read"}}},
        {"jwt": {"claims": {"sub": "", "client_id": " "}}},
        {"iam": {"accountId": "123456789012"}},
        {"lambda": {"requestedAt": "1", "sub": None}},
        {"lambda": {"principalId": True}},
    ],
)
def test_a_caller_without_an_identity_is_none(authorizer: Any) -> None:
    assert _read(authorizer) is None
    assert read_caller({}) is None
