import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from amberflo_workflows.core import aws, aws_call
from amberflo_workflows.local.emulator import Emulator, running_emulator
from amberflo_workflows.local.system import System, running_system
from amberflo_workflows.sandbox.client import SandboxClient
from tests.polling import wait_until
from tests.service_models import share_service_models

# Powertools reads these when a handler's module is imported, which a test may do before any fixture.
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"
# CDK's validation takes half of the time of a synthesis, and one test runs it.
os.environ["CDK_VALIDATION"] = "false"
share_service_models()


def pytest_configure() -> None:
    """Restore the handling of Ctrl+C, which tests send to commands: a shell turns it off for jobs in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let garbage collection ignore the modules and tests, which remain until the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let test processes start with the files that take longest, and otherwise with those of the most tests.

    A process that started a long file at the end would let the others wait. The order of the tests of a file is random,
    and so is that of files with as many tests.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    counts = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, -counts[item.path]))


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may depend on, or reach, the AWS account or the Amberflo account of whoever runs it."""
    if os.environ.get("STEP_FUNCTIONS_ENDPOINT", "moto") != "moto":
        return
    for name in [name for name in os.environ if name.startswith(("AWS_", "AMBERFLO_"))]:
        monkeypatch.delenv(name)
    # A client keeps the endpoint that the environment named when the client was created.
    aws.client.cache_clear()
    aws_call.client.cache_clear()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the test run, for :func:`tests.shared_folders.shared_folder`."""
    # With pytest-xdist, the folder of each process is in it.
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), wait_scale=0) as running:
        yield running


@pytest.fixture(scope="session")
def system_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system")


@pytest.fixture(scope="session")
def shared_system(system_folder: Path) -> Iterator[System]:
    # A Step Functions outside has to be told where the Lambdas are, so their place can be fixed.
    port = int(os.environ.get("METERING_TEST_PORT", "0")) or None
    with running_system(system_folder, port=port, wait_scale=0) as running:
        yield running


@pytest.fixture
def system(shared_system: System, request: pytest.FixtureRequest) -> System:
    """The shared local system, emptied of what earlier tests left; the waits of its workflows are left out.

    A test that sends usage needs its meters: it creates them, or names them in the marker ``meters(NAME, …)``. The
    marker of a test replaces that of its module.
    """
    marker = request.node.get_closest_marker("meters")
    empty(shared_system, *(marker.args if marker else ()))
    return shared_system


def empty(system: System, *meters: str) -> None:
    """Delete usage, faults, rejected items, files, receipts, and queued and dead events, and all other meters.

    A rule in a receipt would cancel usage of a later test, although the sandbox no longer has the rule.
    """
    for queue in ("UsageQueueUrl", "UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl"):
        system.client("sqs").purge_queue(QueueUrl=system.outputs[queue])
    _wait_for_sending(system)
    sandbox_of(system).reset(*meters)
    s3 = system.client("s3")
    for output in ("BackfillBucketName", "LedgerBucketName"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=system.outputs[output]):
            objects = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if objects:
                s3.delete_objects(Bucket=system.outputs[output], Delete={"Objects": objects})
    table, dynamodb = system.outputs["RejectedTableName"], system.client("dynamodb")
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ProjectionExpression="id"):
        for item in page["Items"]:
            dynamodb.delete_item(TableName=table, Key=item)


def _wait_for_sending(system: System) -> None:
    """Wait for executions that an earlier test did not wait for, since they would send usage during the next one."""
    sandbox_of(system).clear_faults()
    client, arn = system.client("stepfunctions"), system.state_machine_arns["ingest_usage"]
    query = {"stateMachineArn": arn, "statusFilter": "RUNNING", "maxResults": 1}
    assert wait_until(lambda: not client.list_executions(**query)["executions"])


def sandbox_of(system: System) -> SandboxClient:
    assert system.sandbox is not None
    return system.sandbox
