"""Usages for the demo without a file: the same each time, except for their times."""

import random
import time
from typing import Final

from amberflo_workflows.operate.usage_files import Usage

SEED: Final = 20_231_116
GENERATED: Final = 600
_TENANTS: Final = ("acme", "globex", "initech")


def generate_usages(count: int = GENERATED) -> list[Usage]:
    """Generate the usage of requests to a language model over the last hour, two usages per request."""
    rng = random.Random(SEED)  # noqa: S311 - must be the same each time
    now = int(time.time() * 1000)
    usages: list[Usage] = []
    for number in range(count // 2):
        tenant = rng.choices(_TENANTS, weights=(5, 3, 1))[0]
        millis = now - rng.randrange(60_000, 3_600_000)
        tokens = {"context-tokens": int(rng.lognormvariate(6, 1)) + 1, "generated-tokens": rng.randrange(1, 500)}
        usages += [
            {
                "tenantId": tenant,
                "meterApiName": meter,
                "meterValue": value,
                "meterTimeInMillis": millis,
                "uniqueId": f"demo-{number}-{meter}",
                "model": rng.choice(("small", "large")),
            }
            for meter, value in tokens.items()
        ]
    return usages
