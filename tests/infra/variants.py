"""The stacks of every kind of deployment, synthesised together: what holds for one has to hold for all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.node import use_packaged_node

use_packaged_node()

from aws_cdk import App, Environment, Stack, aws_kms, aws_sns  # noqa: E402 - needs use_packaged_node first
from aws_cdk.aws_apigatewayv2 import HttpApi  # noqa: E402 - as above
from aws_cdk.aws_events import EventBus  # noqa: E402 - as above

from amberflo_workflows.infra.attach_stack import AttachStack  # noqa: E402 - as above
from amberflo_workflows.infra.metering import AmberfloMetering  # noqa: E402 - as above
from amberflo_workflows.infra.monitoring import Monitoring  # noqa: E402 - as above
from amberflo_workflows.infra.settings import Runtime, Settings  # noqa: E402 - as above
from amberflo_workflows.infra.stack import MeteringStack  # noqa: E402 - as above
from tests.infra.apps import create_app  # noqa: E402 - as above

# The longest name that CloudFormation accepts.
LONGEST_STACK_NAME: Final = "S" * 128
PLAIN: Final = Settings()
WITH_USERS: Final = Settings(
    admin_email="ops@example.com",
    alarm_email="ops@example.com",
    read_scope="metering/read",
    write_scope="metering/write",
    ingest_log="ALL_WITHOUT_DATA",
    trace_ingest=True,
    dashboard=True,
)
WITH_ISSUER: Final = Settings(
    issuer="https://issuer.example.com",
    audience=("clients",),
    event_bus_name="theirs",
    event_sources=("my.app",),
    alarm_email="ops@example.com",
)


class TwoDeployments(Stack):
    """Two constructs in a stack of somebody's own app, whose alarms share a topic with TLS and a key of its own."""

    def __init__(self, scope: App, id: str) -> None:
        super().__init__(scope, id)
        topic = aws_sns.Topic(self, "OwnTopic", enforce_ssl=True, master_key=aws_kms.Key(self, "OwnKey"))
        for name in ("First", "Second"):
            metering = AmberfloMetering(self, name, event_bus=EventBus(self, f"{name}Bus"))
            api = HttpApi(self, f"{name}Api")
            Monitoring(self, f"{name}Monitoring", metering=metering, http_api=api, topic=topic, dashboard=True)


def synth_variants(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the templates for any region, by the names of their stacks."""

    def add_all(app: App) -> None:
        _add_regional(app, None)
        MeteringStack(app, "Plain", settings=PLAIN, runtime=Runtime())
        MeteringStack(app, LONGEST_STACK_NAME, settings=WITH_ISSUER, runtime=Runtime())
        TwoDeployments(app, "TwoDeployments")

    return _synth(folder, add_all)


def synth_for_region(folder: Path, region: str) -> dict[str, dict[str, Any]]:
    """Return the templates of the stacks with most resources, for one region."""
    return _synth(folder, lambda app: _add_regional(app, Environment(region=region)))


def _add_regional(app: App, env: Environment | None) -> None:
    """Add a stack of its own and one for a control plane, with all their optional resources."""
    MeteringStack(app, "WithUsers", settings=WITH_USERS, runtime=Runtime(), env=env)
    AttachStack(app, "Attach", settings=Settings(alarm_email="ops@example.com"), runtime=Runtime(), env=env)


def _synth(folder: Path, add_stacks: Callable[[App], None]) -> dict[str, dict[str, Any]]:
    app = create_app(folder)
    add_stacks(app)
    app.synth()
    return {path.name.split(".")[0]: json.loads(path.read_text()) for path in sorted(folder.glob("*.template.json"))}
