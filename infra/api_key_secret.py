"""The secret with Amberflo's API key, by its name, its ARN or its construct: how a task reads it, and may read it."""

import re
from dataclasses import dataclass
from typing import Final

from aws_cdk import ArnFormat, Fn, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from amberflo_workflows.infra.settings import InvalidSetting

_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_ARN: Final = re.compile(rf"arn:[a-z0-9-]+:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:{_NAME.pattern}")
# Secrets Manager appends a hyphen and six random characters to the name in an ARN.
_RANDOM: Final = "-??????"


@dataclass(frozen=True)
class ApiKeySecret:
    """``id`` is the name or ARN that a task reads; a policy that allows this has ``arns`` as its resources.

    ``key`` is the secret's KMS key, if it is not the AWS managed key.
    """

    id: str
    arns: tuple[str, ...]
    key: kms.IKey | None

    def allow_to_read(self, task: lambda_.IFunction) -> None:
        """Allow a task to read the secret."""
        task.add_to_role_policy(
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=list(self.arns))
        )
        if self.key:
            self.key.grant_decrypt(task)


def find_secret(scope: Construct, secret: str | secretsmanager.ISecret, key: kms.IKey | None = None) -> ApiKeySecret:
    """Find the secret; a name may be a CDK token, and so may an ARN of the stack's account and region.

    Raises :class:`InvalidSetting`.
    """
    if not isinstance(secret, str):
        return _from_construct(scope, secret, key)
    if Token.is_unresolved(secret):
        # The last part of an ARN or else the name, whichever the token turns out to be.
        name = Fn.select(1, Fn.split(":secret:", f"{secret}:secret:{secret}"))
        return ApiKeySecret(secret, (_build_arn(scope, name), _build_arn(scope, name + _RANDOM)), key)
    if _NAME.fullmatch(secret):
        return ApiKeySecret(secret, (_build_arn(scope, secret + _RANDOM),), key)
    if _ARN.fullmatch(secret):
        # With or without the random characters: a name may end in what looks like them, such as "-apikey".
        return ApiKeySecret(secret, (secret, secret + _RANDOM), key)
    raise InvalidSetting(f"amberfloApiKeySecretName must be the name or the ARN of a secret, not '{secret}'.")


def _from_construct(scope: Construct, secret: secretsmanager.ISecret, key: kms.IKey | None) -> ApiKeySecret:
    if not hasattr(secret, "secret_full_arn"):
        raise InvalidSetting(
            f"amberflo_api_key_secret_name must be a name, an ARN or a Secret, not a {type(secret).__name__}."
        )
    key = key or secret.encryption_key
    if secret.secret_full_arn:
        return ApiKeySecret(secret.secret_full_arn, (secret.secret_full_arn,), key)
    return find_secret(scope, secret.secret_name, key)


def _build_arn(scope: Construct, name: str) -> str:
    return Stack.of(scope).format_arn(
        service="secretsmanager", resource="secret", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
