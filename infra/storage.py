"""Queues and buckets, with the settings that all of them share."""

from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

# The longest that SQS allows.
MESSAGE_RETENTION: Final = Duration.days(14)
# For what may hold usage. A resource of a deployment that is rolled back holds nothing yet and is deleted.
KEEP: Final = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


def build_queue(
    scope: Construct,
    id: str,
    *,
    visibility_timeout: Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """Build an encrypted queue that is kept when its stack is deleted, since usage may be in it."""
    return sqs.Queue(
        scope,
        id,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
        retention_period=MESSAGE_RETENTION,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        removal_policy=KEEP,
    )


def build_bucket(scope: Construct, id: str, *, expiration: Duration) -> s3.Bucket:
    """Build an encrypted private bucket whose objects are deleted after ``expiration``.

    It is kept when its stack is deleted, since CloudFormation cannot delete a bucket that is not empty.
    """
    return s3.Bucket(
        scope,
        id,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        lifecycle_rules=[s3.LifecycleRule(expiration=expiration)],
        removal_policy=KEEP,
    )
