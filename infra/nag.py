"""Acknowledgments of cdk-nag findings, each on the single resource it is about."""

import re
from collections.abc import Iterator
from typing import Final

from aws_cdk import Acknowledgment, CfnElement, CfnResource, Stack, Validations
from constructs import IConstruct

# "Rule[Finding]" names one finding of a rule that has several.
_FINDING: Final = re.compile(r"(?P<rule>[^\[]+)\[(?P<finding>.+)\]")


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Acknowledge findings, by rule or ``Rule[Finding]``, with the reason for each.

    Works for cdk-nag 3, and through metadata of the resources for cdk-nag 2, which the SaaS Builder Toolkit uses.
    """
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items()))
    for resource in construct.node.find_all():
        if isinstance(resource, CfnResource):
            suppressions = (resource.get_metadata("cdk_nag") or {}).get("rules_to_suppress", [])
            resource.add_metadata("cdk_nag", {"rules_to_suppress": [*suppressions, *_build_suppressions(reasons)]})


def get_logical_id(construct: IConstruct) -> str:
    """Return the logical id of a resource, which names of findings contain."""
    resource = construct.node.default_child
    if not isinstance(resource, CfnElement):
        raise TypeError(f"{construct.node.path} is not a resource")
    return Stack.of(construct).get_logical_id(resource)


def _build_suppressions(reasons: dict[str, str]) -> Iterator[dict[str, object]]:
    for name, reason in reasons.items():
        finding = _FINDING.fullmatch(name)
        if finding:
            yield {"id": finding["rule"], "reason": reason, "applies_to": [finding["finding"]]}
        else:
            yield {"id": name, "reason": reason}
