"""The outputs of a stack, which the command line reads to find a deployment."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Stack

from amberflo_workflows.infra.metering import AmberfloMetering


def build_stack_outputs(metering: AmberfloMetering) -> dict[str, str]:
    """Build the outputs for the queues, the rejected table, the buckets and the workflows."""
    ingest = metering.ingest
    arns = {name: machine.state_machine_arn for name, machine in metering.state_machines.items()}
    return {
        "UsageQueueUrl": ingest.queue.queue_url,
        "UsageDeadLetterQueueUrl": ingest.dead_letters.queue_url,
        "TenantDeadLetterQueueUrl": metering.tenants.dead_letters.queue_url,
        "RejectedTableName": ingest.rejected.table_name,
        "BackfillBucketName": metering.backfill.bucket.bucket_name,
        "LedgerBucketName": metering.ledger.bucket.bucket_name,
        "StateMachineArns": Stack.of(metering).to_json_string(arns),
        "IngestQueueFunctionName": metering.queue_function.function_name,
        "ChecksMeterNames": str(metering.check_meter_names).lower(),
    }


def add_outputs(stack: Stack, values: Mapping[str, str]) -> None:
    """Add outputs to a stack's template."""
    for name, value in values.items():
        CfnOutput(stack, name, value=value)
