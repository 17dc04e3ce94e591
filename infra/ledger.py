"""The ledger: the bucket with the receipts of what Amberflo counted, and of what was cancelled."""

from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge, get_logical_id
from amberflo_workflows.infra.roles import ServiceRole
from amberflo_workflows.infra.storage import build_bucket

RECEIPTS_PREFIX: Final = "receipts/"
# Where Firehose puts what it cannot deliver.
ERRORS_PREFIX: Final = "errors/"
# As in core.ledger.layout, which requires msgspec; the constructs do without it.
SORTED_PREFIX: Final = "sorted/"
RULES_PREFIX: Final = "rules/"
INDEX_PREFIX: Final = "index/"
REPORTS_PREFIX: Final = "reconciliations/"
SORTED_UNTIL_KEY: Final = "sorted-until.json"
READ_PREFIXES: Final = (RECEIPTS_PREFIX, SORTED_PREFIX, RULES_PREFIX, INDEX_PREFIX, SORTED_UNTIL_KEY)
# An object has the receipts of this time, or of this size: the fewer objects, the fewer requests to pay for.
BUFFER_SECONDS: Final = 300
BUFFER_MB: Final = 64
# Amberflo accepts usage for 60 days, so that older receipts are only read to explain a bill.
HOT_DAYS: Final = 60

_Buffering = firehose.CfnDeliveryStream.BufferingHintsProperty
_Destination = firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty
_Encryption = firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty
_Logging = firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty


class Ledger(Construct):
    """A bucket that keeps receipts for ``retention_days``, and the stream through which steps write them."""

    def __init__(self, scope: Construct, id: str, *, retention_days: int, log_retention: logs.RetentionDays) -> None:
        super().__init__(scope, id)
        self.bucket = build_bucket(self, "Receipts", expiration=Duration.days(retention_days))
        if retention_days > HOT_DAYS:
            # Of objects of less than 128 kB S3 moves none, since it charges for as much in the colder class.
            self.bucket.add_lifecycle_rule(
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                        transition_after=Duration.days(HOT_DAYS),
                    )
                ],
            )
        acknowledge(self.bucket, {"AwsSolutions-S1": "Each receipt names the execution that wrote it."})
        group = logs.LogGroup(self, "Log", retention=log_retention, removal_policy=RemovalPolicy.DESTROY)
        log_stream = logs.LogStream(self, "LogStream", log_group=group, removal_policy=RemovalPolicy.DESTROY)
        role = self._add_role(group)
        self.stream = firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=_Encryption(key_type="AWS_OWNED_CMK"),
            extended_s3_destination_configuration=_Destination(
                bucket_arn=self.bucket.bucket_arn,
                role_arn=role.role_arn,
                buffering_hints=_Buffering(interval_in_seconds=BUFFER_SECONDS, size_in_m_bs=BUFFER_MB),
                # A receipt is compressed already.
                compression_format="UNCOMPRESSED",
                file_extension=".ndjson.gz",
                prefix=f"{RECEIPTS_PREFIX}date=!{{timestamp:yyyy-MM-dd}}/hour=!{{timestamp:HH}}/",
                error_output_prefix=f"{ERRORS_PREFIX}!{{firehose:error-output-type}}/!{{timestamp:yyyy-MM-dd}}/",
                cloud_watch_logging_options=_Logging(
                    enabled=True, log_group_name=group.log_group_name, log_stream_name=log_stream.log_stream_name
                ),
            ),
        )
        # Firehose checks at its creation whether it may write.
        self.stream.node.add_dependency(role)

    @property
    def stream_name(self) -> str:
        """The name of the stream, which its metrics have as a dimension."""
        name: str = self.stream.ref
        return name

    def allow_to_write(self, function: lambda_.Function) -> None:
        """Allow a step to write receipts."""
        function.add_environment("LEDGER_STREAM_NAME", self.stream_name)
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["firehose:PutRecord"], resources=[self.stream.attr_arn])
        )

    def allow_to_read(self, function: lambda_.Function) -> None:
        """Allow a function to read the receipts, sorted and not, and the rules in them."""
        self.allow_objects(function, "s3:GetObject", *READ_PREFIXES)
        function.add_environment("LEDGER_BUCKET_NAME", self.bucket.bucket_name)
        function.add_to_role_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]))

    def allow_objects(self, function: lambda_.Function, action: str, *prefixes: str) -> None:
        """Allow a function an action on the objects whose keys start with one of the prefixes."""
        objects = [self.bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]
        function.add_to_role_policy(iam.PolicyStatement(actions=[action], resources=objects))
        rule = f"AwsSolutions-IAM5[Resource::<{get_logical_id(self.bucket)}.Arn>/"
        reason = "Any object under the prefix: each belongs to the ledger of this deployment."
        acknowledge(function.role or function, {f"{rule}{prefix}*]": reason for prefix in prefixes})

    def _add_role(self, group: logs.LogGroup) -> iam.Role:
        """Add the role of the stream. It may do what AWS documents for it, without reading or deleting receipts.

        https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
        """
        role = ServiceRole(self, "StreamRole", service="firehose.amazonaws.com")
        objects = [self.bucket.arn_for_objects(f"{prefix}*") for prefix in (RECEIPTS_PREFIX, ERRORS_PREFIX)]
        for actions, resources in (
            (["s3:AbortMultipartUpload", "s3:PutObject"], objects),
            (["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], [self.bucket.bucket_arn]),
            (["logs:PutLogEvents"], [group.log_group_arn]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        name, reason = get_logical_id(self.bucket), "Firehose chooses the names of the objects."
        acknowledge(
            role,
            {
                f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{prefix}*]": reason
                for prefix in (RECEIPTS_PREFIX, ERRORS_PREFIX)
            },
        )
        return role
