"""Deploy a CDK assembly to the emulator in about a second, with the AWS calls that the CDK command line makes."""

import io
import json
import os
import stat
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from amberflo_workflows.local.emulator import REGION, Emulator
from amberflo_workflows.operate.errors import OperatorError

ACCOUNT: Final = "000000000000"
_POLL_SECONDS: Final = 0.05
_BOOTSTRAP: Final = ("/cdk-bootstrap/hnb659fds/version", "30")


def put_secret(emulator: Emulator, name: str, value: dict[str, str]) -> None:
    """Create or replace a secret whose value is a JSON object."""
    secrets, text = emulator.client("secretsmanager"), json.dumps(value)
    try:
        secrets.put_secret_value(SecretId=name, SecretString=text)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=name, SecretString=text)


def deploy(
    emulator: Emulator, assembly: Path, stack: str, parameters: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Create or update a stack and return its outputs. Raises :class:`OperatorError` with the failed resource."""
    parameter, version = _BOOTSTRAP
    emulator.client("ssm").put_parameter(Name=parameter, Value=version, Type="String", Overwrite=True)
    template_url = _upload_assets(emulator, assembly, stack)
    cloudformation = emulator.client("cloudformation")
    options = {
        "StackName": stack,
        "TemplateURL": template_url,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }
    try:
        if _prepare_update(cloudformation, stack):
            cloudformation.update_stack(**options)
        else:
            cloudformation.create_stack(**options)
        _wait_until_deployed(cloudformation, stack)
    except cloudformation.exceptions.ClientError as error:
        if "No updates" not in str(error):
            raise OperatorError(f"The emulator rejected the stack {stack}: {error}") from None
    description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}


def _prepare_update(cloudformation: Any, stack: str) -> bool:
    """Whether the stack exists and can be updated. Deletes a stack that failed, since it can never be updated."""
    status = _status(cloudformation, stack)
    if status.endswith("_FAILED") or status == "ROLLBACK_COMPLETE":
        cloudformation.delete_stack(StackName=stack)
        _wait_until_settled(cloudformation, stack)
        return False
    return bool(status) and not status.startswith("DELETE")


def _status(cloudformation: Any, stack: str) -> str:
    """Return the stack's status, or an empty text if there is no stack."""
    try:
        status: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except cloudformation.exceptions.ClientError:
        return ""
    return status


def _wait_until_settled(cloudformation: Any, stack: str) -> str:
    while (status := _status(cloudformation, stack)).endswith("_IN_PROGRESS"):
        time.sleep(_POLL_SECONDS)
    return status


def _wait_until_deployed(cloudformation: Any, stack: str) -> None:
    status = _wait_until_settled(cloudformation, stack)
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise OperatorError(f"The stack {stack} has the status {status}: {_first_failure(cloudformation, stack)}")


def _first_failure(cloudformation: Any, stack: str) -> str:
    events = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack).search("StackEvents[]")
    # The stack's own event only says that one of its resources failed; the newest events come first.
    failed = [
        event for event in events if event["ResourceStatus"].endswith("FAILED") and event["LogicalResourceId"] != stack
    ]
    if not failed:
        return "no resource has an error."
    event = failed[-1]
    reason = event.get("ResourceStatusReason", "no reason")
    return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"


def _upload_assets(emulator: Emulator, assembly: Path, stack: str) -> str:
    """Upload the stack's assets to the buckets that its template names, and return the template's URL."""
    s3 = emulator.client("s3")
    manifest = json.loads((assembly / f"{stack}.assets.json").read_text())
    template_url = ""
    for file in manifest["files"].values():
        source = assembly / file["source"]["path"]
        for destination in file["destinations"].values():
            bucket = destination["bucketName"].replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
            key = destination["objectKey"]
            _ensure_bucket(s3, bucket)
            if file["source"]["packaging"] == "zip":
                if not _exists(s3, bucket, key):
                    s3.put_object(Bucket=bucket, Key=key, Body=_build_zip(source))
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=source.read_bytes())
            if source.name == f"{stack}.template.json":
                template_url = f"{emulator.url}/{bucket}/{key}"
    return template_url


def _ensure_bucket(s3: Any, bucket: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError:
        s3.create_bucket(Bucket=bucket)


def _exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether an asset was uploaded before; its key is the hash of its content."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError:
        return False
    return True


def _build_zip(folder: Path) -> bytes:
    """Zip a folder without compression, keeping which files are executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.external_attr = (stat.S_IFREG | (0o755 if os.access(path, os.X_OK) else 0o644)) << 16
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
