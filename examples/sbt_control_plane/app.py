"""Usage metering in a control plane of the SaaS Builder Toolkit, written in Python.

Build the bindings with ``metering sbt-bindings``.
"""

from amberflo_workflows import SbtAmberfloMetering
import amberflo_sbt as sbt
from aws_cdk import App, Stack
from constructs import Construct


class MyStack(Stack):
    """A control plane whose tenants are billed by usage."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        metering = SbtAmberfloMetering(
            self,
            "AmberfloMetering",
            amberflo_api_key_secret_name="AmberfloApiKey",
            amberflo_api_key_secret_id="apiKey",
        )
        control_plane = sbt.ControlPlane(
            self, "ControlPlane", system_admin_email="admin@example.com", metering=metering
        )
        # Adds our other routes, and rules from the bus to the queue. Without this call, SBT's own rules are used.
        metering.extend(control_plane)


if __name__ == "__main__":
    app = App()
    MyStack(app, "MyStack")
    app.synth()
