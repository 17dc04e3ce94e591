"""Roles whose permissions are in the role itself.

CDK would put them into a policy next to each role, which is one resource more; a stack may have 500.
"""

from typing import Any

import jsii
from aws_cdk import aws_iam as iam
from constructs import Construct


class ServiceRole(iam.Role):
    """A role for an AWS service. Grants become statements of its inline policy; it needs at least one."""

    def __init__(self, scope: Construct, id: str, *, service: str) -> None:
        self._document = iam.PolicyDocument()
        super().__init__(
            scope, id, assumed_by=iam.ServicePrincipal(service), inline_policies={"Grants": self._document}
        )

    @jsii.member(jsii_name="addToPrincipalPolicy")
    def add_to_principal_policy(self, statement: iam.PolicyStatement) -> Any:
        """Add a statement, also for the grants of CDK's constructs."""
        self._document.add_statements(statement)
        return iam.AddToPrincipalPolicyResult(statement_added=True, policy_dependable=self)
