"""The ledger of a deployment."""

from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError


def open_ledger(deployment: Deployment) -> LedgerStore:
    """Return the ledger of a deployment. Raises :class:`OperatorError` if it has none."""
    try:
        bucket = deployment.outputs["LedgerBucketName"]
    except KeyError:
        raise OperatorError(f"Stack {deployment.stack} has no ledger: upgrade it first.") from None
    return LedgerStore(deployment.client("s3"), bucket)
