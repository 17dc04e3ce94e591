"""Synthesise control planes with our metering, and print the constructs with cdk-nag findings, or the error, of each.

Run it with an interpreter that has the bindings. Each argument is JSON: ``out`` (folder), ``metering`` (keyword
arguments of ``SbtAmberfloMetering``), ``extend``, ``plain`` (a control plane without metering), ``local`` (for the
emulator). One process does all, since the start of CDK takes most of the time.
"""

import json
import sys
from typing import Any

from amberflo_workflows import SbtAmberfloMetering  # sets JSII_NODE, so it comes first

import amberflo_sbt as sbt
from amberflo_workflows.infra.sbt.metering import UnsupportedControlPlane
from amberflo_workflows.infra.settings import Runtime
from aws_cdk import App, Aspects, AssetStaging, Stack, assertions
from cdk_nag import AwsSolutionsChecks


def synthesise(options: dict[str, Any]) -> list[str]:
    """Return the paths of the constructs with findings."""
    # As in amberflo_workflows.infra.app.
    AssetStaging.clear_asset_hash_cache()
    # SBT's own functions would be bundled in Docker; they are not tested here.
    app = App(outdir=options["out"], analytics_reporting=False, post_cli_context={"aws:cdk:bundling-stacks": []})
    stack = Stack(app, "MyStack")
    metering = SbtAmberfloMetering(
        stack,
        "AmberfloMetering",
        runtime=Runtime.for_this_machine() if options.get("local") else None,
        **options.get("metering", {}),
    )
    properties = {} if options.get("plain") else {"metering": metering}
    control_plane = sbt.ControlPlane(stack, "ControlPlane", system_admin_email="admin@example.com", **properties)
    if options.get("extend"):
        metering.extend(control_plane)
    # As in SBT's own tests, with cdk-nag 2.
    Aspects.of(stack).add(AwsSolutionsChecks(verbose=True))  # type: ignore[arg-type] # ours is version 3
    annotations = assertions.Annotations.from_stack(stack)
    matching = ("*", assertions.Match.string_like_regexp("AwsSolutions-.*"))
    messages = [*annotations.find_error(*matching), *annotations.find_warning(*matching)]
    app.synth()
    return [message.id for message in messages]


results: list[dict[str, Any]] = []
for argument in sys.argv[1:]:
    try:
        results.append({"findings": synthesise(json.loads(argument))})
    except UnsupportedControlPlane as error:
        results.append({"error": str(error)})
print(json.dumps(results))
