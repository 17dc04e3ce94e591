"""The bucket for responses that are too large for the output of a workflow."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge, get_logical_id
from amberflo_workflows.infra.storage import build_bucket

# The steps whose responses can be large.
WRITERS: Final = ("FetchUsage", "ListCustomers", "ListMeters", "ListUsage", "ReadRecords")


class ResponseBucket(Construct):
    """A bucket that the tasks in ``WRITERS`` put objects into, and that one function reads and deletes from."""

    def __init__(
        self, scope: Construct, id: str, *, tasks: Mapping[str, lambda_.Function], reader: lambda_.Function
    ) -> None:
        super().__init__(scope, id)
        self.bucket = build_bucket(self, "Large", expiration=Duration.days(1))
        acknowledge(
            self.bucket,
            {"AwsSolutions-S1": "A response is stored for about a second; executions show who requested which."},
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
        acknowledge(function.role or function, {rule: "Any object in the bucket: it holds only such responses."})
