"""An event that starts a workflow for a tenant."""

from typing import Any, Final

ONBOARDING: Final[dict[str, Any]] = {
    "id": "e",
    "time": "2026-01-01T00:00:00Z",
    "detail-type": "onboardingRequest",
    "source": "tests",
    "detail": {"tenantId": "t", "tenantData": {"tenantName": "T"}},
}
