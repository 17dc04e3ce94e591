import pytest

from amberflo_workflows.core.file_rows import FileRow
from amberflo_workflows.operate.backfill.run import BackfillReport


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (
            [f"the dimension 'note' has {length} characters, at most 200 are allowed" for length in (201, 1_000)],
            "the dimension 'note' has too many characters, at most 200 are allowed",
        ),
        (
            [f"tenantId has {length} characters, at most 200 are allowed" for length in (201, 999)],
            "tenantId has too many characters, at most 200 are allowed",
        ),
        (
            [f"there is no time: '{time}' does not have the format %Y" for time in ("x", "it's", "a\nb")],
            "there is no time: it does not have the format %Y",
        ),
        (["the row has 2 fields, and the header has 5"] * 2, "the row has 2 fields, and the header has 5"),
    ],
)
def test_reasons_are_grouped_by_cause(reasons: list[str], expected: str) -> None:
    report = BackfillReport()
    for number, reason in enumerate(reasons):
        report.add_rejected(FileRow(number, number, b"text"), reason)
    assert report.reasons == {expected: len(reasons)}
    assert len(report.examples[expected]) == report.rejected == len(reasons)
