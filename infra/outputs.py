"""What a stack tells of itself: the command line finds a deployment by these."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Stack

from amberflo_workflows.infra.metering import AmberfloMetering


def build_stack_outputs(metering: AmberfloMetering) -> dict[str, str]:
    """Where usage waits, and which workflows there are."""
    path = metering.ingest
    arns = {name: machine.state_machine_arn for name, machine in metering.state_machines.items()}
    return {
        "UsageQueueUrl": path.queue.queue_url,
        "UsageDeadLetterQueueUrl": path.dead_letters.queue_url,
        "TenantDeadLetterQueueUrl": metering.tenants.dead_letters.queue_url,
        "RejectedTableName": path.rejected.table_name,
        "BackfillBucketName": metering.backfill.bucket.bucket_name,
        "StateMachineArns": Stack.of(metering).to_json_string(arns),
        "IngestQueueFunctionName": metering.queue_function.function_name,
    }


def add_outputs(stack: Stack, values: Mapping[str, str]) -> None:
    """Put them into the stack's template."""
    for name, value in values.items():
        CfnOutput(stack, name, value=value)
