"""The part of a control plane's template that metering touches, for an emulator that does not know the rest."""

import json
import re
from typing import Any

# Reached by no reference from a route: without it an API answers to nobody.
STAGE = "AWS::ApiGatewayV2::Stage"
_ROUTE = re.compile("/(meters|usage|ingest)")


def of_metering(template: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Our constructs, the routes and rules that lead to them, and all that these refer to."""
    resources = template["Resources"]
    wanted = {name for name, item in resources.items() if name.startswith(prefix) or _leads_to(item, prefix)}
    waiting = list(wanted)
    while waiting:
        for name in _referred(resources[waiting.pop()]) & resources.keys() - wanted:
            wanted.add(name)
            waiting.append(name)
    outputs = {name: one for name, one in template["Outputs"].items() if _referred(one) & resources.keys() <= wanted}
    kept = {name: item for name, item in resources.items() if name in wanted}
    return {**template, "Resources": kept, "Outputs": outputs}


def _leads_to(item: dict[str, Any], prefix: str) -> bool:
    if item["Type"] == "AWS::ApiGatewayV2::Route":
        return bool(_ROUTE.search(item["Properties"]["RouteKey"]))
    return item["Type"] == STAGE or (item["Type"] == "AWS::Events::Rule" and prefix in json.dumps(item["Properties"]))


def _referred(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_referred, value))
    if not isinstance(value, dict):
        return set()
    own = {value["Ref"]} if "Ref" in value else set()
    if "Fn::GetAtt" in value:
        own.add(value["Fn::GetAtt"][0])
    depends = value.get("DependsOn", [])
    own |= {depends} if isinstance(depends, str) else set(depends)
    return own.union(*map(_referred, value.values()))
