from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from amberflo_workflows.core.signature import Credentials, Scope, sign

TOKENS = st.text("abcXYZ/+=", min_size=1)
VALUES = st.text("aB0 ;=/-", min_size=1).filter(lambda value: value.strip() == value)
NOW = datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC)


@given(
    body=st.binary(),
    value=VALUES,
    credentials=st.builds(Credentials, TOKENS, TOKENS, st.none() | TOKENS),
    scope=st.builds(Scope, st.sampled_from(["us-east-1", "cn-north-1"]), st.sampled_from(["states", "secretsmanager"])),
)
@example(b"", "a  b", Credentials("id", "key", None), Scope("us-east-1", "states"))
def test_the_signature_is_that_of_botocore(body: bytes, value: str, credentials: Credentials, scope: Scope) -> None:
    headers = {"Host": "service.example", "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": value}
    request = AWSRequest("POST", "https://service.example/", headers=headers, data=body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
        auth.SigV4Auth(ReadOnlyCredentials(*credentials), scope.service, scope.region).add_auth(request)
    signed = sign(headers, body, scope, credentials, NOW)
    assert signed["Authorization"] == request.headers["Authorization"]
    assert signed["X-Amz-Date"] == request.headers["X-Amz-Date"]


def test_the_secret_key_is_not_in_the_text_of_credentials() -> None:
    assert "secret" not in repr(Credentials("id", "secret", "secret"))
