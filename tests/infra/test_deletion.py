"""A stack can be deleted whatever is in it, and deletes nothing that may hold usage."""

from typing import Any


def test_no_bucket_is_in_the_way_of_the_deletion_of_its_stack(variants: dict[str, dict[str, Any]]) -> None:
    for name, template in variants.items():
        buckets = [item for item in template["Resources"].values() if item["Type"] == "AWS::S3::Bucket"]
        assert len(buckets) == (4 if name == "TwoDeployments" else 2)
        for bucket in buckets:
            # CloudFormation cannot delete a bucket with objects. What is kept has to become empty by itself.
            assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
            (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
            assert rule["Status"] == "Enabled"
            assert rule["ExpirationInDays"] in {1, 60}
