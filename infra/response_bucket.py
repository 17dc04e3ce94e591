"""The bucket in which large answers wait for the function that gives them to the caller."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge, get_logical_id

# The steps whose answers may be large.
WRITERS: Final = ("FetchUsage", "ListMeters")


class ResponseBucket(Construct):
    """A bucket that the ``WRITERS`` among the tasks put into, and one function reads and deletes."""

    def __init__(
        self, scope: Construct, id: str, *, tasks: Mapping[str, lambda_.Function], reader: lambda_.Function
    ) -> None:
        super().__init__(scope, id)
        self.bucket = s3.Bucket(
            self,
            "Large",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(1))],
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.bucket, {"AwsSolutions-S1": "An answer is there for a second; executions tell who asked for which."}
        )
        for name in WRITERS:
            self._allow(tasks[name], "s3:PutObject")
        self._allow(reader, "s3:GetObject", "s3:DeleteObject")

    def _allow(self, function: lambda_.Function, *actions: str) -> None:
        function.add_environment("ANSWERS_BUCKET_NAME", self.bucket.bucket_name)
        function.add_to_role_policy(
            iam.PolicyStatement(actions=list(actions), resources=[self.bucket.arn_for_objects("*")])
        )
        rule = f"AwsSolutions-IAM5[Resource::<{get_logical_id(self.bucket)}.Arn>/*]"
        acknowledge(function.role or function, {rule: "Any answer in the bucket that is there for them."})
