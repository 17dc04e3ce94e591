"""The fault matrix as it stands in ``matrix.txt``, which says what its columns mean."""

from pathlib import Path
from typing import NamedTuple

MATRIX = Path(__file__).with_name("matrix.txt")
GROUPS = {
    "Lambda.*": {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    },
    "DynamoDB.*": {
        "DynamoDB.ProvisionedThroughputExceededException",
        "DynamoDB.RequestLimitExceeded",
        "DynamoDB.RequestLimitExceededException",
        "DynamoDB.ThrottlingException",
        "DynamoDB.InternalServerError",
        "DynamoDB.InternalServerErrorException",
        "DynamoDB.SdkClientException",
    },
    "SQS.*": {"SQS.AmazonSQSException", "SQS.SqsException", "SQS.SdkClientException"},
}
_HEAD = ["workflow", "state", "error", "struck-by", "tries", "heals", "lasts", "ends-in", "http", "run"]


class Line(NamedTuple):
    """One line; what it has no number for is ``None``."""

    workflow: str
    state: str
    error: str
    struck_by: str
    tries: int
    heals: int | None
    lasts: int | None
    ends_in: str
    http: int | None
    run: str

    @property
    def errors(self) -> set[str]:
        """The names that the ASL has for it."""
        return GROUPS.get(self.error, {self.error})

    @property
    def calls_a_try(self) -> int:
        """Calls to Amberflo of one try that is struck; a backfill's is an execution that tries seven times."""
        if self.struck_by == "secret":
            return 0
        return 7 if self.workflow == "backfill_usage" else 1

    def __str__(self) -> str:
        return f"{self.workflow}.{self.state} {self.error}"


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def _line(parts: list[str]) -> Line:
    workflow, state, error, struck_by, tries, heals, lasts, ends_in, http, run = parts
    counts = _number(heals), _number(lasts)
    return Line(workflow, state, error, struck_by, int(tries), *counts, ends_in, _number(http), run)


def lines() -> list[Line]:
    rows = [row.split() for row in MATRIX.read_text().splitlines() if row]
    return [_line(row) for row in rows[rows.index(_HEAD) + 1 :]]
