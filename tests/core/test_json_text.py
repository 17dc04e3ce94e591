from typing import Any

import pytest

from amberflo_workflows.core.json_text import parse_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1.5}', {"a": 1.5}),
        ('{"a": 1e999, "b": -Infinity, "c": NaN}', {"a": "1e999", "b": "-Infinity", "c": "NaN"}),
        ('{"a": 1, "a": 2, "b": 3}', {"a": {"givenTwice": [1, 2]}, "b": 3}),
        ("not json", "not json"),
        ("1" * 5_000, "1" * 5_000),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=["valid", "not finite", "member twice", "not JSON", "too many digits", "too deep"],
)
def test_values_that_cannot_be_parsed_become_text(text: str, value: Any) -> None:
    assert parse_json(text) == value
