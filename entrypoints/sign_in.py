"""What a person who signs in to our own Cognito pool may do: Cognito asks before it makes the tokens.

A sign-in with a password gives no scope of a resource server by itself. The pool takes no sign-ups, so whoever is in
it was put there by an operator, as an administrator.
"""

from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

SCOPES: Final = ("metering/read", "metering/write")


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Lambda entry point for Cognito's pre-token-generation trigger, version 2."""
    event["response"] = {"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {"scopesToAdd": list(SCOPES)}}}
    return event
