"""The arguments of ``make synth``, ``make deploy`` and ``make attach``, as the CDK command line reads them."""

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.settings import InvalidSetting, Settings, StackKind

# A context key with one of these is CDK's own: @aws-cdk/…, aws:cdk:…, cdk-…
_CDK_MARKS: Final = ("/", ":", "-")

# CDK's, if none is configured.
_DEFAULT_REGION: Final = "us-east-1"


@dataclass(frozen=True)
class Arguments:
    """What is in ``-c key=value``, ``--parameters [STACK:]KEY=VALUE`` and ``--profile``, and all other arguments."""

    context: dict[str, str]
    parameters: dict[str, str]
    profile: str | None
    others: tuple[str, ...]

    def build_settings(self, kind: StackKind) -> Settings:
        """Build the settings as the CDK app will, so that an error is one line and appears before CDK starts.

        Raises :class:`InvalidSetting`.
        """
        settings = Settings.from_context({**_read_file_context(), **self.context}.get)
        settings.check_kind(kind)
        return settings

    def create_session(self) -> Any:
        """Create a session of AWS with the profile and the region that CDK will use. Raises botocore's errors."""
        import boto3  # noqa: PLC0415 - slow, and not needed for a synthesis

        # boto3 does not read AWS_REGION.
        session = boto3.Session(profile_name=self.profile, region_name=os.environ.get("AWS_REGION"))
        return session if session.region_name else boto3.Session(profile_name=self.profile, region_name=_DEFAULT_REGION)


def parse_arguments(arguments: Sequence[str]) -> Arguments:
    """Parse arguments. Raises :class:`InvalidSetting` if a setting is unknown or has no value."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-c", "--context", action="append", default=[])
    parser.add_argument("--parameters", action="append", default=[])
    parser.add_argument("--profile")
    try:
        options, others = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise InvalidSetting(f"{error}: key=value must follow.") from None
    context = _split_pairs(options.context)
    _check_keys(context)
    parameters = {key.rpartition(":")[2]: value for key, value in _split_pairs(options.parameters).items()}
    return Arguments(context, parameters, options.profile, tuple(others))


def _split_pairs(texts: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InvalidSetting(f"Settings must be passed as -c key=value, not '{text}'.")
        pairs[key] = value
    return pairs


def _check_keys(keys: Iterable[str]) -> None:
    ours = {key for key in keys if not any(mark in key for mark in _CDK_MARKS)}
    unknown = sorted(ours - Settings.context_keys())
    if unknown:
        raise InvalidSetting(
            f"Unknown setting '{unknown[0]}'. The settings are: {', '.join(sorted(Settings.context_keys()))}."
        )


def _read_file_context() -> dict[str, Any]:
    """Read the context in the user's and the project's file of settings for CDK."""
    context: dict[str, Any] = {}
    for path in (Path("~/.cdk.json"), Path("cdk.json")):
        try:
            context |= json.loads(path.expanduser().read_text()).get("context", {})
        except (OSError, RuntimeError):
            # There is no such file, or the user has no home directory.
            continue
        except ValueError as error:
            raise InvalidSetting(f"{path} is not valid JSON: {error}") from None
    return context
