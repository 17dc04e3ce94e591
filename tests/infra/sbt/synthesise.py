"""Synthesise a control plane with our metering, and print the paths of constructs with cdk-nag findings.

Run it with an interpreter that has the bindings. Its argument is JSON: ``out`` (folder), ``metering`` (keyword
arguments of ``SbtAmberfloMetering``), ``extend``, ``plain`` (a control plane without metering), ``local`` (for the
emulator).
"""

import json
import sys

from amberflo_workflows import SbtAmberfloMetering  # sets JSII_NODE, so it comes first

import amberflo_sbt as sbt
from amberflo_workflows.infra.settings import Runtime
from aws_cdk import App, Aspects, Stack, assertions
from cdk_nag import AwsSolutionsChecks

options = json.loads(sys.argv[1])
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
print(json.dumps([message.id for message in messages]))
app.synth()
