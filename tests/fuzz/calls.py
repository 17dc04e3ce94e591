"""Calls generated from the OpenAPI document: valid ones, and ones that violate it."""

import random
from collections.abc import Iterator
from itertools import count
from typing import Any, TypeAlias

import hypothesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.core.result import Ok

Call: TypeAlias = Case[Any]

# Calls of one operation and mode in sequence. Operations alternate, so that calls meet the results of other calls.
CALLS_IN_SEQUENCE = 50
# With a value that is not that of the body, these headers make an invalid HTTP message, which never reaches the API.
FRAMING_HEADERS = ("Content-Length", "Transfer-Encoding")


def generate_calls(schema: BaseSchema, number: int, first_seed: int) -> Iterator[Call]:
    """``number`` calls, the same for the same seed: valid and invalid ones of every operation in turn."""
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    remaining = number
    for round_seed in count(first_seed):
        for operation in operations:
            for mode in GenerationMode:
                calls = _draw_calls(operation, mode, round_seed)[:remaining]
                yield from calls
                remaining -= len(calls)
                if remaining == 0:
                    return


def _draw_calls(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, round_seed: int) -> list[Call]:
    calls: list[Call] = []

    @seed(round_seed)
    @settings(
        max_examples=CALLS_IN_SEQUENCE,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def draw(call: Call) -> None:
        for name in FRAMING_HEADERS:
            call.headers.pop(name, None)
        calls.append(call)

    draw()
    return calls


def use_meters(meter_ids: list[str], calls: Iterator[Call], first_seed: int) -> Iterator[Call]:
    """The calls, most of those about a meter with the ID of one that exists; only the last meter is ever deleted."""
    chance = random.Random(first_seed)  # noqa: S311 - has to be repeatable
    *permanent, deletable = meter_ids
    for call in calls:
        if "meterId" in call.path_parameters and chance.random() < 0.8:
            call.path_parameters["meterId"] = deletable if call.method == "DELETE" else chance.choice(permanent)
            # Unknown dimensions and meter names are rejected, so few queries would succeed with all parameters.
            if isinstance(call.query, dict):
                call.query = {name: value for name, value in call.query.items() if chance.random() < 0.4}
        yield call
