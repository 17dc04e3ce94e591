from pathlib import Path

import pytest

from amberflo_workflows.infra.app import add_stack
from amberflo_workflows.infra.node import use_packaged_node
from amberflo_workflows.infra.settings import Settings

use_packaged_node()

from aws_cdk import App, Stack, Validations, aws_sqs  # noqa: E402 - needs use_packaged_node first
from cdk_nag import AwsSolutionsChecks  # noqa: E402 - as above

from tests.infra.apps import create_app  # noqa: E402 - as above


def _build_checked_app(folder: Path) -> App:
    app = create_app(folder / "out")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


SETTINGS = {
    "default": Settings(alarm_email="ops@example.com"),
    "all switched on": Settings(
        alarm_email="ops@example.com", ingest_log="ALL_WITHOUT_DATA", trace_ingest=True, dashboard=True
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_finding_of_aws_solutions_is_acknowledged(tmp_path: Path, name: str) -> None:
    app = _build_checked_app(tmp_path)
    add_stack(app, "aws", SETTINGS[name])
    # Raises ValidationFailed, and prints the findings, if there are any.
    app.synth()


def test_the_checks_report_a_finding(tmp_path: Path) -> None:
    app = _build_checked_app(tmp_path)
    aws_sqs.Queue(Stack(app, "Careless"), "Queue")
    with pytest.raises(Exception, match="ValidationFailed"):
        app.synth()
