"""parliament over every policy of a template: unknown actions, wrong resources and conditions, dangerous combinations.

It has AWS's table of actions in its package, and so needs no network.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from parliament import analyze_policy_string

# Findings with the actions that they are about.
SUPPRESSED: Final = {
    ("PERMISSIONS_MANAGEMENT_ACTIONS", "logs:putresourcepolicy"): "Required for the logs of a workflow.",
    ("RESOURCE_MISMATCH", "states:DescribeExecution"): "It is for standard executions, and AWS's table lists express "
    "executions as well.",
}
_INTERFACE_ACTIONS: Final = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "UnassignPrivateIpAddresses",
)
# In a VPC as well: AWS's own policy for such Lambdas, whose interfaces have no names yet when Lambda checks it.
SUPPRESSED_IN_VPC: Final = {
    *SUPPRESSED,
    ("RESOURCE_STAR", ", ".join(f"ec2:{name}" for name in _INTERFACE_ACTIONS)),
}
TRUST_POLICY: Final = "AssumeRolePolicyDocument"


class Policy(NamedTuple):
    """A policy, and its place in the template."""

    place: str
    document: dict[str, Any]


class Finding(NamedTuple):
    rule: str
    actions: str
    text: str


def list_policies(resolved: dict[str, Any]) -> Iterator[Policy]:
    """List the policies of roles, of resources, and those that Lambda makes of permissions."""
    for logical_id, item in resolved["Resources"].items():
        if item["Type"] == "AWS::Lambda::Permission":
            document = {"Version": "2012-10-17", "Statement": [build_permission_statement(item["Properties"])]}
            yield Policy(logical_id, document)
        else:
            yield from _search(logical_id, item.get("Properties", {}))


def build_permission_statement(permission: dict[str, Any]) -> dict[str, Any]:
    """Build the statement that Lambda adds to the policy of a function."""
    conditions = {"AWS:SourceArn": permission.get("SourceArn"), "AWS:SourceAccount": permission.get("SourceAccount")}
    return {
        "Sid": "s" * 36,
        "Effect": "Allow",
        "Principal": {"Service": permission["Principal"]},
        "Action": permission["Action"],
        "Resource": permission["FunctionName"],
        "Condition": {"ArnLike": {key: value for key, value in conditions.items() if value}},
    }


def _search(place: str, value: Any) -> Iterator[Policy]:
    if isinstance(value, dict) and "Statement" in value:
        yield Policy(place, value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _search(f"{place}/{key}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _search(place, inner)


def list_findings(policy: Policy) -> list[Finding]:
    """List what parliament finds in a policy."""
    document, is_trust = policy.document, policy.place.endswith(TRUST_POLICY)
    if is_trust:
        # Its resource is the role itself, which parliament wants to see.
        resource = {"Resource": "arn:aws:iam::000000000000:role/itself"}
        document = {**document, "Statement": [{**statement, **resource} for statement in document["Statement"]]}
    # The community's rules are about what a role may do, not about who may assume it.
    items = _analyze(json.dumps(document), include_community_auditors=not is_trust)
    return [
        Finding(item.issue, _render_actions(item), f"{policy.place}: {item.detail} {item.location}") for item in items
    ]


# Templates have many policies in common.
@cache
def _analyze(document: str, *, include_community_auditors: bool) -> list[Any]:
    return list(analyze_policy_string(document, include_community_auditors=include_community_auditors).findings)


def _render_actions(item: Any) -> str:
    details = item.detail if isinstance(item.detail, list) else []
    actions = [detail["action"] if isinstance(detail, dict) else detail for detail in details]
    return ", ".join(actions or item.location.get("actions", []))
