"""The table of locks: while an execution changes a meter, no other one does."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge


class MeterLocks(Construct):
    """A table with an item for each locked meter; ``locker`` is the function that sets locks."""

    def __init__(self, scope: Construct, id: str, *, locker: lambda_.Function) -> None:
        super().__init__(scope, id)
        self.table = dynamodb.Table(
            self,
            "Locks",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expiration",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(self.table, {"AwsSolutions-DDB3": "A lock is needed for seconds, and ends by itself."})
        locker.add_environment("METER_LOCKS_TABLE_NAME", self.table.table_name)
        self.table.grant(locker, "dynamodb:PutItem")
