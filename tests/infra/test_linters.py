"""CDK's own validation, and cfn-lint and parliament over the templates of all variants.

Those of SBT are in ``sbt/test_control_plane.py``.
"""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import OUT
from amberflo_workflows.infra.settings import Settings
from tests.infra import cfn_lint, iam_lint
from tests.infra.every_setting import DEEP, SETTINGS, WITH_POOL
from tests.infra.resolved import resolve_template

pytestmark = pytest.mark.long

Templates = dict[str, dict[str, Any]]
Findings = dict[str, list[cfn_lint.Finding]]
NAMES = ("Plain", "Attach", *(settings.stack_name for settings in SETTINGS), DEEP)
# With a user pool of Cognito.
POOLS = {"Plain", WITH_POOL, DEEP}


def test_the_variants_together_have_another_value_than_the_default_for_every_setting() -> None:
    names = [field.name for field in dataclasses.fields(Settings)]
    assert [name for name in names if all(getattr(item, name) == getattr(Settings(), name) for item in SETTINGS)] == []


def test_the_validation_of_cdk_reports_nothing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}
    command = [sys.executable, "-m", "amberflo_workflows.infra.app"]
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    report = json.loads((tmp_path / OUT / "validation-report.json").read_text())
    assert report["pluginReports"] == []


@pytest.fixture(scope="session")
def templates(variants: Templates, every_setting: Templates) -> Templates:
    return {name: (variants | every_setting)[name] for name in NAMES}


@pytest.fixture(scope="session")
def cfn_findings(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return cfn_lint.list_findings(tmp_path_factory.mktemp("cfn-lint"), templates)


def _is_expected(name: str, finding: cfn_lint.Finding) -> bool:
    # In China, Cognito has no user pools, so that a stack there needs the settings of another issuer.
    is_pool = finding.rule == "E3006" and "'AWS::Cognito::" in finding.message and cfn_lint.CHINA in finding.message
    # The names of the deep variant approach the limits on purpose.
    is_long_name = finding.rule == "I3012" and name == DEEP
    return finding.rule in cfn_lint.SUPPRESSED or (is_pool and name in POOLS) or is_long_name


@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_reports_nothing(cfn_findings: Findings, name: str) -> None:
    assert [finding for finding in cfn_findings[name] if not _is_expected(name, finding)] == []


def test_no_suppression_of_cfn_lint_is_unused(cfn_findings: Findings) -> None:
    seen = {finding.rule for findings in cfn_findings.values() for finding in findings}
    assert seen == {*cfn_lint.SUPPRESSED, "E3006", "I3012"}


@pytest.mark.parametrize("name", NAMES)
def test_parliament_reports_nothing(templates: Templates, name: str) -> None:
    policies = list(iam_lint.list_policies(resolve_template(templates[name])))
    assert len(policies) > 60
    findings = [finding for policy in policies for finding in iam_lint.list_findings(policy)]
    is_in_vpc = "VpcConfig" in str(templates[name])
    suppressed = iam_lint.SUPPRESSED_IN_VPC if is_in_vpc else iam_lint.SUPPRESSED.keys()
    assert [finding for finding in findings if finding[:2] not in suppressed] == []
    assert {finding[:2] for finding in findings} == suppressed, "a suppression is unused"


MISTAKES: dict[str, dict[str, Any]] = {
    "UNKNOWN_ACTION": {"Action": "s3:GetObjekt", "Resource": "arn:aws:s3:::bucket/*"},
    "RESOURCE_MISMATCH": {"Action": "lambda:InvokeFunction", "Resource": "arn:aws:sqs:us-east-1:000000000000:queue"},
    "RESOURCE_STAR": {"Action": "dynamodb:PutItem", "Resource": "*"},
    "UNKNOWN_CONDITION_FOR_ACTION": {
        "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:000000000000:queue",
        "Condition": {"StringEquals": {"s3:prefix": "x"}},
    },
}


@pytest.mark.parametrize("rule", MISTAKES)
def test_parliament_finds_mistakes(rule: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **MISTAKES[rule]}]}
    assert [finding.rule for finding in iam_lint.list_findings(iam_lint.Policy("Role", document))] == [rule]
