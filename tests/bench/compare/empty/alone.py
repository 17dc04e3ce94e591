"""One Lambda without its work."""

from typing import Any


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the response of the empty workflow."""
    return {"statusCode": 200, "body": '{"data": {}}'}
