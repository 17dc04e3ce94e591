"""Usage metering in a CDK stack of your own, behind your own HTTP API and on your own event bus."""

from amberflo_workflows import AmberfloMetering
from aws_cdk import App, Stack, aws_apigatewayv2, aws_events
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct


class MyStack(Stack):
    """An API and an event bus that accept usage. Add the other resources of your SaaS here."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        bus = aws_events.EventBus(self, "Bus")
        metering = AmberfloMetering(
            self,
            "Metering",
            amberflo_api_key_secret_name="AmberfloApiKey",
            amberflo_api_key_secret_id="apiKey",
            event_bus=bus,
        )
        api = aws_apigatewayv2.HttpApi(self, "Api")
        # Add your authorizer: the function does not check tokens itself.
        api.add_routes(
            path="/ingest",
            methods=[aws_apigatewayv2.HttpMethod.POST],
            integration=HttpLambdaIntegration("Ingest", metering.api_function),
        )


if __name__ == "__main__":
    app = App()
    MyStack(app, "MyStack")
    app.synth()
