"""The fault matrix in ``matrix.txt``, which explains its columns."""

from pathlib import Path
from typing import NamedTuple

MATRIX = Path(__file__).with_name("matrix.txt")
ERROR_GROUPS = {
    "Lambda.*": {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
    },
    # The process of the Lambda was ended: by a signal, for its memory, or by the function's own timeout.
    "Worker.*": {
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "Runtime.Unknown",
        "Sandbox.Timedout",
    },
    "DynamoDB.*": {
        "DynamoDB.ProvisionedThroughputExceededException",
        "DynamoDB.RequestLimitExceeded",
        "DynamoDB.RequestLimitExceededException",
        "DynamoDB.ThrottlingException",
        "DynamoDB.InternalServerError",
        "DynamoDB.InternalServerErrorException",
        "DynamoDB.AmazonDynamoDBException",
        "DynamoDB.SdkClientException",
    },
    "SQS.*": {"SQS.AmazonSQSException", "SQS.SqsException", "SQS.SdkClientException"},
}
_HEADER = ["workflow", "state", "error", "fault", "attempts", "recovered", "exhausted", "ends-in", "http", "run"]


class MatrixRow(NamedTuple):
    """One row of the matrix. A number that a row does not have is ``None``."""

    workflow: str
    state: str
    error: str
    fault: str
    attempts: int
    recovered: int | None
    exhausted: int | None
    ends_in: str
    http: int | None
    run: str

    @property
    def errors(self) -> set[str]:
        """The error names in the ASL."""
        return ERROR_GROUPS.get(self.error, {self.error})

    @property
    def calls_per_attempt(self) -> int:
        """Calls to Amberflo of an attempt that fails. Of a backfill or a replay it is an execution with seven."""
        if self.fault == "secret":
            return 0
        return 7 if self.workflow in {"backfill_usage", "replay_usage"} else 1

    def __str__(self) -> str:
        return f"{self.workflow}.{self.state} {self.error}"


def load_rows() -> list[MatrixRow]:
    lines = [line.split() for line in MATRIX.read_text().splitlines() if line]
    return [_parse_row(words) for words in lines[lines.index(_HEADER) + 1 :]]


def _parse_row(words: list[str]) -> MatrixRow:
    workflow, state, error, fault, attempts, recovered, exhausted, ends_in, http, run = words
    calls = _parse_number(recovered), _parse_number(exhausted)
    return MatrixRow(workflow, state, error, fault, int(attempts), *calls, ends_in, _parse_number(http), run)


def _parse_number(text: str) -> int | None:
    return None if text == "-" else int(text)
