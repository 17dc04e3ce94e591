"""Synthesise a control plane with our metering in it, and print what cdk-nag finds.

Run by an interpreter that has the bindings. Its argument is JSON: ``out`` (folder), ``metering`` (keyword arguments of
``SbtAmberfloMetering``), ``extend``, ``plain`` (a control plane that was given no metering), ``local`` (for the
emulator).
"""

import json
import sys

from amberflo_workflows import SbtAmberfloMetering  # finds Node, so it comes first

import amberflo_sbt as sbt
from amberflo_workflows.infra.settings import Runtime
from aws_cdk import App, Aspects, Stack, assertions
from cdk_nag import AwsSolutionsChecks

wanted = json.loads(sys.argv[1])
# SBT's own functions are bundled in Docker; they are not what is tested here.
app = App(outdir=wanted["out"], analytics_reporting=False, post_cli_context={"aws:cdk:bundling-stacks": []})
stack = Stack(app, "MyStack")
metering = SbtAmberfloMetering(
    stack,
    "AmberfloMetering",
    runtime=Runtime.for_this_machine() if wanted.get("local") else None,
    **wanted.get("metering", {}),
)
given = {} if wanted.get("plain") else {"metering": metering}
control_plane = sbt.ControlPlane(stack, "ControlPlane", system_admin_email="admin@example.com", **given)
if wanted.get("extend"):
    metering.extend(control_plane)
# As SBT's own tests ask for it, with the version 2 that it depends on.
Aspects.of(stack).add(AwsSolutionsChecks(verbose=True))  # type: ignore[arg-type] # ours is version 3
found = assertions.Annotations.from_stack(stack)
matching = ("*", assertions.Match.string_like_regexp("AwsSolutions-.*"))
print(json.dumps([one.id for one in [*found.find_error(*matching), *found.find_warning(*matching)]]))
app.synth()
