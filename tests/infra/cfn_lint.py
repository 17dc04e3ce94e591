"""cfn-lint with all of its rules: errors, warnings, information and the experimental ones, in each partition.

It looks at one resource at a time, and the templates have many in common, so that each is checked once. With
``METERING_SOAK=1`` each template is checked as it is.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.infra.distinct_resources import Remainder, leave_out_repeated

SOAK: Final = bool(os.environ.get("METERING_SOAK"))
CHINA: Final = "cn-north-1"
_REGIONS: Final = ("us-east-1", "us-gov-west-1", CHINA)
# Rules about style, which the templates that CDK generates cannot follow.
SUPPRESSED: Final = {
    "W3005": "CDK lists dependencies that a reference implies.",
    "I1022": "CDK joins texts with Fn::Join instead of Fn::Sub.",
    "I4010": "It requires a description of the architecture as metadata; docs/design.md has it.",
}


class Finding(NamedTuple):
    """A rule that a template breaks, the path in the template, and cfn-lint's message."""

    rule: str
    path: str
    message: str


def list_findings(folder: Path, templates: Mapping[str, dict[str, Any]]) -> dict[str, list[Finding]]:
    """List what cfn-lint finds in each template, including what is suppressed. One process, since it starts slowly."""
    remainders = {name: Remainder(template, set()) for name, template in templates.items()}
    if not SOAK:
        remainders = leave_out_repeated(templates)
    paths = {folder / f"{name}.json": name for name in templates}
    for path, name in paths.items():
        # cfn-lint knows no substitution within an ARN.
        path.write_text(json.dumps(remainders[name].template).replace("${Partition}", "aws"))
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json", "--include-experimental"]
    command += ["--include-checks", "I", "--configure-rule", "E3012:strict=true"]
    command += ["--regions", *_REGIONS, "--", *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == "", result.stderr
    findings: dict[str, list[Finding]] = {name: [] for name in templates}
    for item in json.loads(result.stdout):
        name, place = paths[Path(item["Filename"])], [str(part) for part in item["Location"]["Path"] or []]
        # A resource without its properties breaks rules that it does not break as it is.
        if not (place[:1] == ["Resources"] and remainders[name].repeated.intersection(place[1:2])):
            findings[name].append(Finding(item["Rule"]["Id"], "/".join(place), item["Message"]))
    return findings
