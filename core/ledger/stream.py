"""The ledger: the bucket with the receipts of what Amberflo was sent.

Receipts are written through Amazon Data Firehose, which stores a record in three availability zones before it responds,
and puts those of some minutes into one object. With thin traffic, an object for each receipt would cost more than all
else: an S3 request costs five times what an execution costs.
"""

import base64
import os
from typing import Final

from amberflo_workflows.core.aws_call import AwsApi, AwsError
from amberflo_workflows.core.connections import NoResponse

# Two attempts end before the state does.
FIREHOSE: Final = AwsApi(
    service="firehose",
    signing_name="firehose",
    host="firehose",
    endpoint_variable="AWS_ENDPOINT_URL_FIREHOSE",
    target="Firehose_20150804",
    json_version="1.1",
    connect_seconds=1,
    read_seconds=1.5,
)


_ADVICE: Final = "Repeat the call: usage with the same uniqueId, or a call with the same Idempotency-Key, counts once."


class ReceiptNotWritten(Exception):
    """The receipt is not in the ledger. The execution has to fail, since what is counted must be there."""


def put_receipt(content: bytes) -> None:
    """Write a receipt. It may be written twice, which readers expect. Raises :class:`ReceiptNotWritten`."""
    stream = os.environ["LEDGER_STREAM_NAME"]
    record = {"Data": base64.b64encode(content).decode()}
    try:
        FIREHOSE.call("PutRecord", {"DeliveryStreamName": stream, "Record": record}, repeatable=True)
    except AwsError as error:
        reason = f"rejected the receipt: {error}"
    except NoResponse as error:
        reason = f"could not be reached: {error}"
    else:
        return
    raise ReceiptNotWritten(f"The stream '{stream}' of the ledger {reason}. {_ADVICE}")
