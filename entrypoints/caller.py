"""The identity of a caller, which the API's authorizer puts into the request."""

from typing import Any, Final, TypeAlias

# A list has the kind of identity first, so that equal texts of different kinds are different callers. The subject of a
# token is text alone, as in version 0.1, so that the keys that it stored keep their meaning.
Caller: TypeAlias = str | list[str]

_CLIENT_CLAIMS: Final = ("client_id", "azp", "cid", "appid")
# What Lambda authorizers return: the principal of their policy, or members of their context with the usual names.
_CONTEXT_MEMBERS: Final = ("principalId", "sub", *_CLIENT_CLAIMS, "clientId")


def read_caller(event: dict[str, Any]) -> Caller | None:
    """Return the caller of a request in payload format 2.0, or ``None`` if the authorizer does not tell.

    Nothing that may change from call to call is part of it: a repeated call has the same caller.
    """
    authorizer = _read_object(event.get("requestContext"), "authorizer")
    claims = _read_object(_read_object(authorizer, "jwt"), "claims")
    if subject := _read_text(claims, "sub"):
        return subject
    iam, context = _read_object(authorizer, "iam"), _read_object(authorizer, "lambda")
    # Users of a Cognito identity pool share the ARN of a role.
    pool_user = _read_text(_read_object(iam, "cognitoIdentity"), "identityId")
    return (
        _read_first("jwt", claims, _CLIENT_CLAIMS)
        or (["cognitoIdentity", pool_user] if pool_user else None)
        or _read_first("iam", iam, ("userArn", "userId", "callerId"))
        or _read_first("lambda", context, _CONTEXT_MEMBERS)
        or _read_first("lambda", authorizer, ("principalId",))
    )


def _read_first(kind: str, source: dict[str, Any], names: tuple[str, ...]) -> list[str] | None:
    """Return the first member that is text, as an identity of this kind and the issuer of the claims."""
    issuer = _read_text(source, "iss")
    return next(([kind, name, text, issuer] for name in names if (text := _read_text(source, name))), None)


def _read_object(source: object, name: str) -> dict[str, Any]:
    value = source.get(name) if isinstance(source, dict) else None
    return value if isinstance(value, dict) else {}


def _read_text(source: dict[str, Any], name: str) -> str:
    value = source.get(name)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
