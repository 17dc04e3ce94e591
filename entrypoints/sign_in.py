"""Grant the API's scopes to a person who signs in to our own Cognito pool. Cognito calls it before it issues tokens.

A sign-in with a password gives no scope of a resource server by itself. The pool has no sign-up, so every user in it
was created by an operator, as an administrator.
"""

from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

SCOPES: Final = ("metering/read", "metering/write")


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Handle Cognito's pre-token-generation trigger, version 2."""
    event["response"] = {"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {"scopesToAdd": list(SCOPES)}}}
    return event
