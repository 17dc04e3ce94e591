"""All that a deployment may decide, with its defaults."""

import dataclasses
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

AMBERFLO_URL: Final = "https://app.amberflo.io"
# Amberflo's ingest host with fail-over between regions; only its own cloud has one.
AMBERFLO_INGEST_URL: Final = "https://ingest.amberflo.io"

# Days that CloudWatch can keep a log for, and CDK's names of them.
RETENTION: Final = {1: "ONE_DAY", 7: "ONE_WEEK", 30: "ONE_MONTH", 90: "THREE_MONTHS", 365: "ONE_YEAR"}

# The scopes of our own Cognito pool.
READ_SCOPE: Final = "metering/read"
WRITE_SCOPE: Final = "metering/write"
OWN_SCOPES: Final = (READ_SCOPE, WRITE_SCOPE)

# Of the authorizer that we add to an API of others, to know it again.
AUTHORIZER_NAME: Final = "amberfloMetering"

IngestLog = Literal["ALL_WITHOUT_DATA", "ERROR_WITH_DATA"]


class InvalidSetting(ValueError):
    """A setting is unknown or cannot be; the message says which and what it may be."""


@dataclass(frozen=True)
class Runtime:
    """What the Lambdas run on.

    ``local`` is the one thing that differs on the emulator: there the functions run on this machine's own Python
    through a ``bootstrap``, since the emulator's managed runtimes lose the class of an error.
    """

    python: str = "3.13"
    architecture: str = "arm64"
    local: bool = False

    @classmethod
    def for_this_machine(cls) -> "Runtime":
        """The runtime of the emulator."""
        machine = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", machine, local=True)


@dataclass(frozen=True)
class Settings:
    """A deployment. Each field is also a CDK context key, in camel case: ``-c amberfloBaseUrl=…``."""

    stack_name: str = "AmberfloMetering"
    amberflo_api_key_secret_name: str = "AmberfloApiKey"  # noqa: S105 - a secret's name is not a secret
    amberflo_api_key_secret_id: str = "apiKey"  # noqa: S105 - the field in it; the name is the npm package's
    secret_kms_key_arn: str | None = None
    amberflo_base_url: str = AMBERFLO_URL
    amberflo_ingest_url: str | None = None
    event_bus_name: str | None = None
    event_sources: tuple[str, ...] = ()
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    read_scope: str | None = None
    write_scope: str | None = None
    admin_email: str | None = None
    alarm_email: str | None = None
    log_retention_days: int = 30
    ingest_log: IngestLog = "ALL_WITHOUT_DATA"
    ingest_concurrency: int = 10
    python_version: str = "3.13"
    architecture: str = "arm64"

    def __post_init__(self) -> None:
        """Raise :class:`InvalidSetting` for what can be seen to be wrong before anything is deployed."""
        for name in ("amberflo_base_url", "amberflo_ingest_url"):
            url = getattr(self, name)
            if url is not None and not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
                raise InvalidSetting(f"{_to_camel_case(name)} must be an https address, not '{url}'.")
        if bool(self.issuer) != bool(self.audience):
            raise InvalidSetting("issuer and audience go together: set both, or neither to create a Cognito pool.")
        if self.issuer and self.admin_email:
            raise InvalidSetting("adminEmail is for the Cognito pool of the stack; an issuer has its own users.")
        if self.ingest_log not in {"ALL_WITHOUT_DATA", "ERROR_WITH_DATA"}:
            raise InvalidSetting(f"ingestLog is ALL_WITHOUT_DATA or ERROR_WITH_DATA, not '{self.ingest_log}'.")
        if self.architecture not in {"arm64", "x86_64"}:
            raise InvalidSetting(f"architecture is arm64 or x86_64, not '{self.architecture}'.")
        if self.log_retention_days not in RETENTION:
            raise InvalidSetting(
                f"logRetentionDays is one of {', '.join(map(str, RETENTION))}, not {self.log_retention_days}."
            )
        if not 2 <= self.ingest_concurrency <= 1000:
            raise InvalidSetting(f"ingestConcurrency is 2 to 1000, not {self.ingest_concurrency}.")

    @property
    def ingest_url(self) -> str:
        """Where usage is sent."""
        if self.amberflo_ingest_url:
            return self.amberflo_ingest_url
        return AMBERFLO_INGEST_URL if self.amberflo_base_url == AMBERFLO_URL else self.amberflo_base_url

    @classmethod
    def context_keys(cls) -> set[str]:
        """The names of all settings as CDK context."""
        return {_to_camel_case(field.name) for field in dataclasses.fields(cls)}

    @classmethod
    def from_context(cls, context: Callable[[str], Any]) -> "Settings":
        """Settings out of CDK context. Lists are comma separated. Raises :class:`InvalidSetting`."""
        given = {field: context(_to_camel_case(field.name)) for field in dataclasses.fields(cls)}
        return cls(**{field.name: _convert(field, value) for field, value in given.items() if value is not None})


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _convert(field: "dataclasses.Field[Any]", value: Any) -> Any:
    if isinstance(field.default, tuple):
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    if isinstance(field.default, int):
        try:
            return int(value)
        except ValueError:
            raise InvalidSetting(f"{_to_camel_case(field.name)} must be a whole number, not '{value}'.") from None
    return str(value)
