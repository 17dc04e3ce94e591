"""Calls made up from the API's document: as it says they should be, and just not so."""

import random
from collections.abc import Iterator
from itertools import count
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.core.result import Ok

Call: TypeAlias = Case[Any]

# Of one operation and kind in a row; by turns, so that calls meet what other calls have made.
IN_A_ROW = 50


def cases(schema: BaseSchema, number: int, first_seed: int) -> Iterator[Call]:
    """So many calls, the same for the same seed: by turns of every operation, good ones and bad ones."""
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    left = number
    for again in count(first_seed):
        for operation in operations:
            for mode in GenerationMode:
                drawn = _drawn(operation, mode, again)[:left]
                yield from drawn
                left -= len(drawn)
                if left == 0:
                    return


def _drawn(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, again: int) -> list[Call]:
    drawn: list[Call] = []

    @seed(again)
    @settings(
        max_examples=IN_A_ROW,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(operation.as_strategy(generation_mode=mode))
    def draw(case: Call) -> None:
        drawn.append(case)

    draw()
    return drawn


def about(meter_ids: list[str], found: Iterator[Call], first_seed: int) -> Iterator[Call]:
    """The calls, most of those about a meter about one that exists; the last one is there to be deleted."""
    chance = random.Random(first_seed)  # noqa: S311 - has to be repeatable
    *kept, last = meter_ids
    for case in found:
        if "meterId" in case.path_parameters and chance.random() < 0.8:
            case.path_parameters["meterId"] = last if case.method == "DELETE" else chance.choice(kept)
            # Made-up dimensions and names of meters are refused, so that few questions would be answered.
            if isinstance(case.query, dict):
                case.query = {name: value for name, value in case.query.items() if chance.random() < 0.4}
        yield case
