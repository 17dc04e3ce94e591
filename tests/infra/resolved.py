"""Templates with all values resolved, as CloudFormation deploys them, with names and ids of the maximum length."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

# The partition and region with the longest names.
_PSEUDO_PARAMETERS: Final = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "us-gov-west-1",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::AccountId": "000000000000",
}
MAX_STACK_NAME_LENGTH: Final = 128
_STACK_NAME: Final = "Stack".ljust(MAX_STACK_NAME_LENGTH, "x")
_STACK_UUID: Final = "00000000-0000-0000-0000-000000000000"
_ID: Final = "abcdefghij"
_BUS_ARN: Final = "arn:aws-us-gov:events:us-gov-west-1:000000000000:event-bus/" + "bus".ljust(256, "x")
_PARAMETERS: Final = {
    "controlPlaneAPIEndpoint": f"https://{_ID}.execute-api.us-gov-west-1.amazonaws.com/",
    "eventBridgeArn": _BUS_ARN,
    "ControlPlaneIdpUserPoolId": "us-gov-west-1_" + "p".ljust(41, "x"),
    "ControlPlaneIdpClientId": "c".ljust(128, "x"),
}
_ARN: Final = "arn:{AWS::Partition}:"
_HERE: Final = "{AWS::Region}:{AWS::AccountId}:"


class Kind(NamedTuple):
    """A type of resource: the maximum length of its name, and its ``Ref`` and attributes for that name."""

    max_name_length: int
    values: Mapping[str, str]
    name_property: str = ""


def _named(limit: int, arn: str, name_property: str, **others: str) -> Kind:
    return Kind(limit, {"Ref": "{name}", "Arn": _ARN + arn, **others}, name_property)


KINDS: Final = {
    "AWS::ApiGatewayV2::Api": Kind(
        10, {"Ref": "{name}", "ApiEndpoint": "https://{name}.execute-api.{AWS::Region}.{AWS::URLSuffix}"}
    ),
    "AWS::ApiGatewayV2::Authorizer": Kind(10, {"Ref": "{name}"}),
    "AWS::ApiGatewayV2::Integration": Kind(10, {"Ref": "{name}"}),
    "AWS::Cognito::UserPool": Kind(
        55, {"Ref": "{name}", "Arn": _ARN + "cognito-idp:" + _HERE + "userpool/{AWS::Region}_{name}"}
    ),
    "AWS::Cognito::UserPoolClient": Kind(128, {"Ref": "{name}"}),
    "AWS::Cognito::UserPoolDomain": Kind(63, {"Ref": "{name}"}, "Domain"),
    "AWS::Cognito::UserPoolResourceServer": Kind(256, {"Ref": "{name}"}, "Identifier"),
    "AWS::DynamoDB::Table": _named(255, "dynamodb:" + _HERE + "table/{name}", "TableName"),
    "AWS::Events::EventBus": _named(256, "events:" + _HERE + "event-bus/{name}", "Name"),
    "AWS::Events::Rule": _named(64, "events:" + _HERE + "rule/{bus}/{name}", "Name"),
    "AWS::IAM::Role": _named(64, "iam::{AWS::AccountId}:role/{name}", "RoleName"),
    "AWS::KMS::Key": _named(36, "kms:" + _HERE + "key/{name}", ""),
    "AWS::KinesisFirehose::DeliveryStream": _named(
        64, "firehose:" + _HERE + "deliverystream/{name}", "DeliveryStreamName"
    ),
    "AWS::Lambda::Function": _named(64, "lambda:" + _HERE + "function:{name}", "FunctionName"),
    "AWS::Logs::LogGroup": _named(512, "logs:" + _HERE + "log-group:{name}:*", "LogGroupName"),
    "AWS::Logs::LogStream": Kind(512, {"Ref": "{name}"}, "LogStreamName"),
    "AWS::S3::Bucket": _named(63, "s3:::{name}", "BucketName"),
    "AWS::SNS::Topic": Kind(256, {"Ref": _ARN + "sns:" + _HERE + "{name}"}, "TopicName"),
    "AWS::SQS::Queue": _named(
        80,
        "sqs:" + _HERE + "{name}",
        "QueueName",
        Ref="https://sqs.{AWS::Region}.{AWS::URLSuffix}/{AWS::AccountId}/{name}",
        QueueName="{name}",
    ),
    "AWS::StepFunctions::StateMachine": Kind(
        80, {"Ref": _ARN + "states:" + _HERE + "stateMachine:{name}", "Name": "{name}"}, "StateMachineName"
    ),
}


def resolve_template(template: dict[str, Any], names: Collection[str] | None = None) -> dict[str, Any]:
    """Resolve the resources with these logical ids, by default all."""
    resolver = _Resolver(template)
    resources = {
        name: {key: resolver.resolve(value) for key, value in item.items() if key in {"Type", "Properties"}}
        for name, item in template["Resources"].items()
        if (names is None or name in names) and resolver.is_true(item.get("Condition"))
    }
    for item in resources.values():
        if item["Type"] == "AWS::StepFunctions::StateMachine":
            item["Properties"] = _substitute(item["Properties"])
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def _substitute(machine: dict[str, Any]) -> dict[str, Any]:
    """Replace the tokens in the definition of a state machine."""
    values = machine.get("DefinitionSubstitutions", {})
    definition = re.sub(r"\$\{(\w+)\}", lambda token: str(values[token[1]]), machine["DefinitionString"])
    return {
        **{name: value for name, value in machine.items() if name != "DefinitionSubstitutions"},
        "DefinitionString": definition,
    }


class _Resolver:
    def __init__(self, template: dict[str, Any]) -> None:
        self._resources = template["Resources"]
        self._conditions = template.get("Conditions", {})
        self._texts = {
            **{name: str(item.get("Default", "")) for name, item in template.get("Parameters", {}).items()},
            **_PARAMETERS,
            **_PSEUDO_PARAMETERS,
            "AWS::StackName": _STACK_NAME,
            "AWS::StackId": self._fill(_ARN + "cloudformation:" + _HERE + f"stack/{_STACK_NAME}/{_STACK_UUID}"),
        }

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        return {key: self.resolve(item) for key, item in value.items()}

    def is_true(self, condition: str | None) -> bool:
        return condition is None or bool(self.resolve(self._conditions[condition]))

    def _call(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "Ref", name:
                return self._texts[name] if name in self._texts else self._get_value(name, "Ref")
            case "Fn::GetAtt", [name, attribute]:
                return self._get_value(name, attribute)
            case "Fn::If", [condition, if_true, if_false]:
                return self.resolve(if_true if self.is_true(condition) else if_false)
            case "Fn::Sub", str(text):
                return re.sub(r"\$\{([\w:]+)\}", lambda name: str(self._call("Ref", name[1])), text)
        return self._apply(function, self.resolve(argument))

    def _apply(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "Fn::Join", [separator, parts]:
                return separator.join(map(str, parts))
            case "Fn::Split", [separator, text]:
                return text.split(separator)
            case "Fn::Select", [index, items]:
                return items[int(index)]
            case "Fn::Equals", [left, right]:
                return left == right
            case "Fn::Not", [condition]:
                return not condition
        raise NotImplementedError(f"{function} {argument}")

    def _get_value(self, logical_id: str, attribute: str) -> str:
        item = self._resources[logical_id]
        kind, properties = KINDS[item["Type"]], item.get("Properties", {})
        # A logical id ends with a hash, so that these names differ as those of CloudFormation do.
        name = logical_id[-kind.max_name_length :].ljust(kind.max_name_length, "x")
        if kind.name_property in properties:
            name = self.resolve(properties[kind.name_property])
        if item["Type"] == "AWS::S3::Bucket":
            name = name.lower()
        bus = self.resolve(properties.get("EventBusName", ""))
        return self._fill(kind.values[attribute], name=name, bus=bus.rpartition("/")[2])

    def _fill(self, text: str, **values: str) -> str:
        return re.sub(r"\{([\w:]+)\}", lambda key: {**_PSEUDO_PARAMETERS, **values}[key[1]], text)
