"""Values that an operator enters as ``NAME=VALUE``."""

import pytest

from amberflo_workflows.operate.usage_members import parse_member


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("version", "1.10", "1.10"),
        ("build", "007", "007"),
        ("size", "1e3", "1e3"),
        ("trial", "true", "true"),
        ("region", "null", "null"),
        ("note", '"quoted"', '"quoted"'),
        ("note", '{"a": 1}', '{"a": 1}'),
        ("note", "", ""),
        ("tenantId", "5", "5"),
        ("uniqueId", "1.0", "1.0"),
        ("meterValue", "1.10", 1.1),
        ("meterValue", "5", 5),
        ("meterValue", "five", "five"),
        ("meterValue", "true", "true"),
        ("meterValue", "1e999", "1e999"),
        ("meterTimeInMillis", "1769860800000", 1_769_860_800_000),
        ("meterTimeInMillis", "null", None),
        ("dimensions", '{"region": "eu"}', {"region": "eu"}),
        ("dimensions", "5", "5"),
    ],
)
def test_only_numbers_and_dimensions_are_not_text(name: str, text: str, expected: object) -> None:
    actual = parse_member(name, text)
    assert (actual, type(actual)) == (expected, type(expected))
