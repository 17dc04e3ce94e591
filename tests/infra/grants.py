"""The permissions of the roles in a template, with logical ids without the prefix ``Metering`` and without the hash."""

import re
from collections import defaultdict
from typing import Any

from tests.infra.conftest import get_resources, list_role_policies

# The actions on each resource, in alphabetical order.
Grants = dict[str, str]


def strip_hash(logical_id: str) -> str:
    return re.sub(r"^Metering|[0-9A-F]{8}$", "", logical_id)


def render_resource(resource: Any) -> str:
    """Render the resource of a statement as in ``ROLES``."""
    match resource:
        case str():
            return resource
        case [item]:
            return render_resource(item)
        case {"Ref": str(name)}:
            return "_" if name.startswith("AWS::") else strip_hash(name)
        case {"Fn::GetAtt": [name, _]}:
            return strip_hash(name)
        case {"Fn::Join": ["", parts]}:
            return "".join(render_resource(part) for part in parts)
    raise AssertionError(resource)


def _to_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def collect_grants(template: dict[str, Any]) -> dict[str, Grants]:
    """Collect the permissions of each role in a template."""
    granted: dict[str, dict[str, set[str]]] = {
        strip_hash(role): defaultdict(set) for role in get_resources(template, "AWS::IAM::Role")
    }
    for role, document in list_role_policies(template):
        for statement in document["Statement"]:
            assert statement.keys() == {"Action", "Effect", "Resource"}
            assert statement["Effect"] == "Allow"
            for resource in _to_list(statement["Resource"]):
                granted[strip_hash(role)][render_resource(resource)].update(_to_list(statement["Action"]))
    return {
        role.removesuffix("Role"): {resource: " ".join(sorted(actions)) for resource, actions in grants.items()}
        for role, grants in granted.items()
    }
