"""The stacks of every kind of deployment, synthesised together: what holds for one has to hold for all."""

import json
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.node import use_packaged_node

use_packaged_node()

from aws_cdk import App, AssetStaging, Environment, Stack, aws_sns  # noqa: E402 - needs use_packaged_node first
from aws_cdk.aws_apigatewayv2 import HttpApi  # noqa: E402 - as above
from aws_cdk.aws_events import EventBus  # noqa: E402 - as above

from amberflo_workflows.infra.attach_stack import AttachStack  # noqa: E402 - as above
from amberflo_workflows.infra.metering import AmberfloMetering  # noqa: E402 - as above
from amberflo_workflows.infra.monitoring import Monitoring  # noqa: E402 - as above
from amberflo_workflows.infra.settings import Runtime, Settings  # noqa: E402 - as above
from amberflo_workflows.infra.stack import MeteringStack  # noqa: E402 - as above

# The longest name that CloudFormation accepts.
LONGEST_STACK_NAME: Final = "S" * 128
PLAIN: Final = Settings()
WITH_USERS: Final = Settings(
    admin_email="ops@example.com",
    alarm_email="ops@example.com",
    read_scope="metering/read",
    write_scope="metering/write",
    ingest_log="ERROR_WITH_DATA",
)
WITH_ISSUER: Final = Settings(
    issuer="https://issuer.example.com",
    audience=("clients",),
    event_bus_name="theirs",
    event_sources=("my.app",),
    alarm_email="ops@example.com",
)


class TwoDeployments(Stack):
    """Two constructs in a stack of somebody's own app, whose alarms share a topic that requires TLS."""

    def __init__(self, scope: App, id: str, env: Environment | None) -> None:
        super().__init__(scope, id, env=env)
        topic = aws_sns.Topic(self, "OwnTopic", enforce_ssl=True)
        for name in ("First", "Second"):
            metering = AmberfloMetering(self, name, event_bus=EventBus(self, f"{name}Bus"))
            api = HttpApi(self, f"{name}Api")
            Monitoring(self, f"{name}Monitoring", metering=metering, http_api=api, topic=topic)


def synth_variants(folder: Path, region: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the templates by the names of their stacks, for any region or for one."""
    AssetStaging.clear_asset_hash_cache()
    app = App(outdir=str(folder), analytics_reporting=False)
    env = Environment(region=region) if region else None
    runtime = Runtime()
    MeteringStack(app, "Plain", settings=PLAIN, runtime=runtime, env=env)
    MeteringStack(app, "WithUsers", settings=WITH_USERS, runtime=runtime, env=env)
    MeteringStack(app, LONGEST_STACK_NAME, settings=WITH_ISSUER, runtime=runtime, env=env)
    AttachStack(app, "Attach", settings=Settings(alarm_email="ops@example.com"), runtime=runtime, env=env)
    TwoDeployments(app, "TwoDeployments", env)
    app.synth()
    return {path.name.split(".")[0]: json.loads(path.read_text()) for path in sorted(folder.glob("*.template.json"))}
