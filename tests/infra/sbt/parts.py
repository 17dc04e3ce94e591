"""Reduces a control plane's template to the part that metering uses, since the emulator does not support the rest."""

import json
import re
from typing import Any

# No route refers to its stage, but without a stage an API does not respond.
STAGE = "AWS::ApiGatewayV2::Stage"
_ROUTE = re.compile("/(meters|usage|ingest)")


def select_metering(template: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Select our constructs, the routes and rules for them, and all resources that these refer to."""
    resources = template["Resources"]
    selected = {name for name, item in resources.items() if name.startswith(prefix) or _targets(item, prefix)}
    queue = list(selected)
    while queue:
        for name in _find_references(resources[queue.pop()]) & resources.keys() - selected:
            selected.add(name)
            queue.append(name)
    outputs = {
        name: output
        for name, output in template["Outputs"].items()
        if _find_references(output) & resources.keys() <= selected
    }
    return {
        **template,
        "Resources": {name: item for name, item in resources.items() if name in selected},
        "Outputs": outputs,
    }


def _targets(item: dict[str, Any], prefix: str) -> bool:
    """Whether a resource is a route of metering, a stage, or a rule with a target of ours."""
    if item["Type"] == "AWS::ApiGatewayV2::Route":
        return bool(_ROUTE.search(item["Properties"]["RouteKey"]))
    return item["Type"] == STAGE or (item["Type"] == "AWS::Events::Rule" and prefix in json.dumps(item["Properties"]))


def _find_references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_find_references, value))
    if not isinstance(value, dict):
        return set()
    references = {value["Ref"]} if "Ref" in value else set()
    if "Fn::GetAtt" in value:
        references.add(value["Fn::GetAtt"][0])
    depends = value.get("DependsOn", [])
    references |= {depends} if isinstance(depends, str) else set(depends)
    return references.union(*map(_find_references, value.values()))
