"""The functions with the largest events and responses: full batches and chunks, ten thousand meters or customers."""

from dataclasses import replace
from pathlib import Path

from tests.bench.compare.functions import Function, build_chunk_usage, build_step_event, read_own_functions
from tests.bench.compare.services import LARGE
from tests.bench.designs import FULL_BATCHES
from tests.bench.events import METER, build_batch

_USAGES_PER_EVENT = 300


def build_large_functions(url: str, folder: Path) -> list[Function]:
    """Read them from the template, synthesised into ``folder``; ``url`` is that of the services."""
    usages = [build_chunk_usage(number) for number in range(_USAGES_PER_EVENT)]
    question = {"groupBy": "customerId", "meterApiName": METER}
    events = {
        "ingest_queue": {
            "Records": build_batch(FULL_BATCHES[_USAGES_PER_EVENT] * _USAGES_PER_EVENT, _USAGES_PER_EVENT)
        },
        "send_usages": build_step_event({"usages": usages}, seconds=15),
        "list_meters": build_step_event({"limit": 50}, seconds=15),
        "fetch_usage": build_step_event({"question": question, "meterApiName": METER}, seconds=15),
    }
    # A checksum is sent after the object, in chunks, which the server does not read.
    storage = {"ANSWERS_BUCKET_NAME": "bucket", "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}
    return [
        replace(function, environment={**function.environment, **storage})
        for function in read_own_functions(url + LARGE, folder, events)
    ]
