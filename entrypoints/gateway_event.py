"""The event of API Gateway, with the path of the route that the gateway matched."""

from typing import Any, Final

_PATHS: Final = ("/meters", "/meters/{meterId}", "/usage", "/usage/{meterId}", "/ingest", "/openapi.json")


class UnsupportedEvent(ValueError):
    """The event is not one of an HTTP API in payload format 2.0."""


def set_route_path(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with the path of its route for the router, which would match the caller's path once more.

    The gateway has matched it already, and knows two things better: an ID may have any character, and the routes may be
    under a prefix. Steps read the ID from ``pathParameters``. Raises :class:`UnsupportedEvent`.
    """
    version = event.get("version")
    if version != "2.0":
        raise UnsupportedEvent(
            f"The API's route passes on an event of payload format {version}. Use an HTTP API, and set "
            "payloadFormatVersion of the route's integration to 2.0."
        )
    route = str(event.get("routeKey", "")).partition(" ")[2]
    path = next((path for path in _PATHS if route.endswith(path)), None)
    if path is None:
        return event
    stage = event["requestContext"].get("stage", "$default")
    prefix = "" if stage == "$default" else f"/{stage}"
    return {**event, "rawPath": prefix + path.replace("{meterId}", "id")}
