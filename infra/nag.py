"""Findings of cdk-nag that are answered, each on the one resource it is about."""

import re
from collections.abc import Iterator
from typing import Final

from aws_cdk import Acknowledgment, CfnElement, CfnResource, Stack, Validations
from constructs import IConstruct

# "Rule[Finding]", as one finding among a rule's is named.
_FINDING: Final = re.compile(r"(?P<rule>[^\[]+)\[(?P<finding>.+)\]")


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Answer findings, by rule or ``Rule[Finding]``, with the reason for each.

    For cdk-nag 3, and as metadata of the resources for cdk-nag 2, which the SaaS Builder Toolkit brings.
    """
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=why) for rule, why in reasons.items()))
    for resource in construct.node.find_all():
        if isinstance(resource, CfnResource):
            known = (resource.get_metadata("cdk_nag") or {}).get("rules_to_suppress", [])
            resource.add_metadata("cdk_nag", {"rules_to_suppress": [*known, *_build_suppressions(reasons)]})


def get_logical_id(construct: IConstruct) -> str:
    """What a resource is called in its template, and so in the name of a finding."""
    resource = construct.node.default_child
    if not isinstance(resource, CfnElement):
        raise TypeError(f"{construct.node.path} is no resource")
    return Stack.of(construct).get_logical_id(resource)


def _build_suppressions(reasons: dict[str, str]) -> Iterator[dict[str, object]]:
    for name, reason in reasons.items():
        finding = _FINDING.fullmatch(name)
        if finding:
            yield {"id": finding["rule"], "reason": reason, "applies_to": [finding["finding"]]}
        else:
            yield {"id": name, "reason": reason}
