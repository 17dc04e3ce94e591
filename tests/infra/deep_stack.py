"""Metering deep in the constructs of a stack that has the longest allowed name."""

from pathlib import Path
from typing import Final

from amberflo_workflows.infra.node import use_packaged_node

use_packaged_node()

from aws_cdk import Stack  # noqa: E402 - needs use_packaged_node first
from aws_cdk import aws_events as events  # noqa: E402 - as above
from aws_cdk import aws_logs as logs  # noqa: E402 - as above
from constructs import Construct  # noqa: E402 - as above

from amberflo_workflows.infra.api import MeteringApi, Scopes  # noqa: E402 - as above
from amberflo_workflows.infra.auth import CognitoPool  # noqa: E402 - as above
from amberflo_workflows.infra.metering import AmberfloMetering  # noqa: E402 - as above
from amberflo_workflows.infra.monitoring import Monitoring, add_alarm_topic  # noqa: E402 - as above
from tests.infra.apps import create_app  # noqa: E402 - as above
from tests.infra.variants import LONGEST_STACK_NAME  # noqa: E402 - as above

_DEPTH: Final = 12


def synth_deep_stack(folder: Path) -> Path:
    """Return the path of the template."""
    app = create_app(folder)
    scope: Construct = Stack(app, LONGEST_STACK_NAME)
    for level in range(_DEPTH):
        scope = Construct(scope, f"PartOfTheApplicationAtLevel{level}")
    _add_everything(scope)
    app.synth()
    return folder / f"{LONGEST_STACK_NAME}.template.json"


def _add_everything(scope: Construct) -> None:
    metering = AmberfloMetering(scope, "Metering", event_bus=events.EventBus(scope, "Bus"))
    scopes = Scopes("metering/read", "metering/write")
    pool = CognitoPool(scope, "Auth", functions=metering.functions, admin_email="a@example.com", scopes=scopes)
    api = MeteringApi(
        scope,
        "Api",
        function=metering.api_function,
        authorizer=pool.build_authorizer(),
        scopes=scopes,
        retention=logs.RetentionDays.ONE_MONTH,
    )
    topic = add_alarm_topic(scope, "ops@example.com")
    Monitoring(scope, "Monitoring", metering=metering, http_api=api.http_api, topic=topic, dashboard=True)
