"""A stack can be deleted whatever is in it, and deletes nothing that may hold usage."""

from typing import Any


def test_no_bucket_is_in_the_way_of_the_deletion_of_its_stack(variants: dict[str, dict[str, Any]]) -> None:
    for name, template in variants.items():
        buckets = [item for item in template["Resources"].values() if item["Type"] == "AWS::S3::Bucket"]
        assert len(buckets) == (6 if name == "TwoDeployments" else 3)
        for bucket in buckets:
            # CloudFormation cannot delete a bucket with objects. What is kept has to become empty by itself.
            assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
            rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
            (expiration,) = (rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule)
            assert {rule["Status"] for rule in rules} == {"Enabled"}
            assert expiration in {1, 60, 400}
