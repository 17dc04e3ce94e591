"""Templates without the resources of an earlier template, for a validator that looks at one resource at a time."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Remainder(NamedTuple):
    """A template, and the logical ids of the resources of which only the type is left."""

    template: dict[str, Any]
    repeated: set[str]


def leave_out_repeated(templates: Mapping[str, dict[str, Any]]) -> dict[str, Remainder]:
    """Reduce each resource that an earlier template has, too, to its type, so that references to it stay valid.

    It is the same if its id and its text are the same, and the types of the resources that it refers to, and the texts
    of the parameters and conditions.
    """
    remainders, seen = {}, set[str]()
    for name, template in templates.items():
        resources, repeated = {}, set()
        meanings = _describe_names(template)
        for logical_id, item in template["Resources"].items():
            text = json.dumps(item)
            references = {word: meanings[word] for word in re.findall(r'"(\w+)"', text) if word in meanings}
            key = json.dumps([logical_id, item, references], sort_keys=True)
            resources[logical_id] = {"Type": item["Type"]} if key in seen else item
            if key in seen:
                repeated.add(logical_id)
            seen.add(key)
        remainders[name] = Remainder({**template, "Resources": resources}, repeated)
    return remainders


def _describe_names(template: dict[str, Any]) -> dict[str, Any]:
    """Describe what a reference to each name of the template refers to."""
    types = {name: item["Type"] for name, item in template["Resources"].items()}
    return {**template.get("Parameters", {}), **template.get("Conditions", {}), **types}
