"""Fit the concurrency of the queue to the account's limit of concurrent Lambdas, which is low in a new account."""

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from amberflo_workflows.infra.settings import Settings

# The function that receives a batch, and a step for each of the chunks that it sends at a time.
LAMBDAS_PER_BATCH: Final = 17
# The rest of the account's Lambdas is for HTTP calls, tenants and other functions.
_SHARE_OF_USAGE: Final = 0.8
_MIN_CONCURRENCY: Final = 2
_SETTING: Final = "ingestConcurrency"


def fit_ingest_concurrency(
    lambda_client: Any, settings: Settings, context: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Compare the concurrency of batches with the account's limit.

    Batches that hold all Lambdas throttle their own steps, and their usage would end in the dead-letter queue. Returns
    arguments for CDK that lower the concurrency, unless it is in ``context``, and lines for the operator.
    """
    try:
        limit: int = lambda_client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    except (BotoCoreError, ClientError) as error:
        return [], [f"The account's limit of concurrent Lambdas was not compared with {_SETTING}: {error}"]
    fitting = max(_MIN_CONCURRENCY, int(limit * _SHARE_OF_USAGE) // LAMBDAS_PER_BATCH)
    lines = []
    if fitting * LAMBDAS_PER_BATCH > limit:
        lines.append(
            f"The account allows only {limit} concurrent Lambdas, fewer than the {fitting * LAMBDAS_PER_BATCH} of "
            f"{fitting} batches of usage. Usage may end in the dead-letter queue. Raise Lambda's quota 'Concurrent "
            "executions' before you send much of it."
        )
    if settings.max_batches <= fitting:
        return [], lines
    needed = settings.max_batches * LAMBDAS_PER_BATCH
    if settings.ingest_max_pollers is not None:
        lines.append(
            f"ingestMaxPollers is {settings.ingest_max_pollers}, for which up to {needed} concurrent Lambdas are "
            f"needed. The account allows {limit}."
        )
        return [], lines
    if _SETTING in context:
        lines.append(
            f"{_SETTING} is {settings.max_batches}, for which up to {needed} concurrent Lambdas are needed. The "
            f"account allows {limit}: {fitting} would fit."
        )
        return [], lines
    lines.append(
        f"{_SETTING} is {fitting} and not {settings.max_batches}, since the account allows only {limit} "
        f"concurrent Lambdas. Raise that quota and deploy again, or set -c {_SETTING}=…"
    )
    return ["-c", f"{_SETTING}={fitting}"], lines
