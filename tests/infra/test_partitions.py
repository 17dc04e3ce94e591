"""The same workflows and templates work in every partition of AWS: no name of one is written into them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra.variants import synth_for_region
from tests.workflows.asl import FILES

pytestmark = pytest.mark.long

REGIONS = {"aws": "eu-central-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
URL_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
# Names of services in policies are the same in every partition.
_SUFFIX = re.compile(r"amazonaws\.com(?:\.cn)?")
_PRINCIPAL = re.compile(r"[a-z-]+\.amazonaws\.com")
_ARN = re.compile(r"arn:([\w-]+):")


def _list_texts(value: Any) -> list[str]:
    match value:
        case dict():
            return [text for item in value.values() for text in _list_texts(item)]
        case list():
            return [text for item in value for text in _list_texts(item)]
        case str():
            return [value]
    return []


def _find_partitions(template: dict[str, Any]) -> set[str]:
    return {partition for text in _list_texts(template) for partition in _ARN.findall(text)}


def _find_url_suffixes(template: dict[str, Any]) -> set[str]:
    texts = [text for text in _list_texts(template) if not _PRINCIPAL.fullmatch(text)]
    return {suffix for text in texts for suffix in _SUFFIX.findall(text)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_definition_names_no_partition(path: Path) -> None:
    assert _find_partitions(json.loads(path.read_text())) == set()


def test_a_template_for_any_region_names_no_partition(variants: dict[str, dict[str, Any]]) -> None:
    for name, template in variants.items():
        assert (name, _find_partitions(template), _find_url_suffixes(template)) == (name, set(), set())


@pytest.mark.parametrize("partition", REGIONS)
def test_a_template_for_a_region_names_its_own_partition_only(partition: str, tmp_path: Path) -> None:
    for name, template in synth_for_region(tmp_path / "out", REGIONS[partition]).items():
        assert _find_partitions(template) <= {partition}, name
        assert _find_url_suffixes(template) <= {URL_SUFFIXES[partition]}, name


def test_every_service_integration_gets_the_partition(variants: dict[str, dict[str, Any]]) -> None:
    integrations = 0
    for template in variants.values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::StepFunctions::StateMachine":
                properties = resource["Properties"]
                count = properties["DefinitionString"].count("arn:${Partition}:states:::")
                if count:
                    assert properties["DefinitionSubstitutions"]["Partition"] == {"Ref": "AWS::Partition"}
                integrations += count
    assert integrations >= 9 * len(variants)


def test_the_token_endpoint_of_govcloud_is_the_fips_one(variants: dict[str, dict[str, Any]]) -> None:
    template = variants["Plain"]
    condition = next(name for name in template["Conditions"] if "GovCloud" in name)
    assert template["Conditions"][condition] == {"Fn::Equals": [{"Ref": "AWS::Partition"}, "aws-us-gov"]}
    parts = template["Outputs"]["TokenEndpoint"]["Value"]["Fn::Join"][1]
    assert {"Fn::If": [condition, "auth-fips", "auth"]} in parts
    assert "/oauth2/token" in parts[-1]
