"""AWS lets an account look only so often: a look that was refused for that is had again a little later.

Clients make one attempt at everything, so that no workflow is started twice; to read twice is harmless.
"""

from typing import Any, Final

_REFUSED: Final = {"ThrottlingException", "TooManyRequestsException"}
_MOST_ATTEMPTS: Final = 8
_LONGEST_SECONDS: Final = 4.0


def retry_throttled(client: Any, *operations: str) -> Any:
    """The same client, patient in these operations."""
    service = client.meta.service_model.service_id.hyphenize()
    for operation in operations:
        name = f"needs-retry.{service}.{operation}"
        # A client is there for all; the id keeps this from being put in twice.
        client.meta.events.register(name, _seconds_to_wait, unique_id=f"patient-{name}")
    return client


def _seconds_to_wait(response: Any, attempts: int, **_: Any) -> float | None:
    """How long until the next attempt; ``None`` if there is to be none."""
    if response is None or attempts >= _MOST_ATTEMPTS:
        return None
    code = response[1].get("Error", {}).get("Code")
    return min(0.25 * 2**attempts, _LONGEST_SECONDS) if code in _REFUSED else None
