"""The settings of a deployment, with their defaults."""

import dataclasses
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

AMBERFLO_URL: Final = "https://app.amberflo.io"
# Amberflo's ingest host with fail-over between regions; only its own cloud has one.
AMBERFLO_INGEST_URL: Final = "https://ingest.amberflo.io"

# Days of log retention, a selection of those that CloudWatch supports, and CDK's names for them.
RETENTION: Final = {1: "ONE_DAY", 7: "ONE_WEEK", 30: "ONE_MONTH", 90: "THREE_MONTHS", 365: "ONE_YEAR"}

# Batches of usage that are processed at a time by default.
DEFAULT_CONCURRENCY: Final = 10
# What a provisioned poller invokes at a time: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
BATCHES_PER_POLLER: Final = 10

# How long receipts of usage can be stored: as long as usage can be sent again, and up to ten years.
MIN_LEDGER_DAYS: Final = 60
MAX_LEDGER_DAYS: Final = 3653

# How many hours a scheduled reconciliation may have: a day, or a part of it that fills a day. 0 is none.
RECONCILE_HOURS: Final = (0, 1, 2, 3, 4, 6, 8, 12, 24)
# As long as core.ledger.requests accepts.
MAX_LAG_HOURS: Final = 7 * 24
MAX_CLOSE_PERIOD_DAY: Final = 28

# The scopes of the stack's own Cognito pool.
READ_SCOPE: Final = "metering/read"
WRITE_SCOPE: Final = "metering/write"
OWN_SCOPES: Final = (READ_SCOPE, WRITE_SCOPE)

# The name of the authorizer that we add to a control plane's API, by which we recognise it.
AUTHORIZER_NAME: Final = "amberfloMetering"
# The parameter of an attached stack that selects an authorizer of the control plane's API.
AUTHORIZER_PARAMETER: Final = "AuthorizerId"

# What a browser sends as the origin of a page: plain http only from the developer's own machine.
_ORIGIN: Final = re.compile(r"\*|https://[a-z0-9.-]+(:\d+)?|http://(localhost|127\.0\.0\.1)(:\d+)?")

IngestLog = Literal["ALL_WITHOUT_DATA", "ERROR_WITH_DATA"]
StackKind = Literal["standalone", "attach"]


class Form(NamedTuple):
    """The form of a setting that is a text; the description completes "must be …"."""

    pattern: str
    description: str


# CDK's marks in a text, and in the one element of a list that stands for all of them.
_TOKEN: Final = re.compile(r"[$#]\{Token\[")
_HTTPS: Final = Form(r"https://\S+|http://(127\.0\.0\.1|localhost):\S+", "an https URL")
_EMAIL: Final = Form(r"[^@\s,]+@[^@\s,]+", "an email address")
_SCOPE: Final = Form(r"\S+", "a scope of tokens, without blanks")
_FORMS: Final = {
    "stack_name": Form("[A-Za-z][A-Za-z0-9-]{0,127}", "up to 128 letters, digits and hyphens, with a letter first"),
    "amberflo_api_key_secret_id": Form(".+", "the field of the secret's JSON with the API key"),
    "secret_kms_key_arn": Form(r"arn:[a-z0-9-]+:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", "the ARN of a KMS key"),
    "amberflo_base_url": _HTTPS,
    "amberflo_ingest_url": _HTTPS,
    "event_bus_name": Form("[A-Za-z0-9/_.-]{1,256}", "the name of an event bus, not its ARN"),
    "issuer": Form(r"https://\S+", "an https URL"),
    "read_scope": _SCOPE,
    "write_scope": _SCOPE,
    "subnet_ids": Form(r"subnet-\w+", "the ids of subnets"),
    "security_group_ids": Form(r"sg-\w+", "the ids of security groups"),
    "admin_email": _EMAIL,
    "alarm_email": _EMAIL,
}


class InvalidSetting(ValueError):
    """A setting is unknown or has an invalid value; the message says which, and which values are valid."""


def is_known(text: str) -> bool:
    """Whether a text is known now. A CDK token stands for one that is known at the deployment, such as a parameter's.

    Without CDK, which is slow to import, and which Lambdas and the command line do not have.
    """
    return not _TOKEN.search(text)


@dataclass(frozen=True)
class Runtime:
    """The runtime of the Lambdas.

    ``local`` is the only difference on the emulator: there the functions run with this machine's Python through a
    ``bootstrap``, since the emulator's managed runtimes lose the class of an error.
    """

    python: str = "3.13"
    architecture: str = "arm64"
    local: bool = False

    def __post_init__(self) -> None:
        """Raise :class:`InvalidSetting` for a version or an architecture that the Lambdas cannot have."""
        if not re.fullmatch(r"3\.(1[1-9]|[2-9]\d)", self.python):
            raise InvalidSetting(f"pythonVersion must be 3.11 or newer, such as 3.13, not '{self.python}'.")
        if self.architecture not in {"arm64", "x86_64"}:
            raise InvalidSetting(f"architecture must be arm64 or x86_64, not '{self.architecture}'.")

    @classmethod
    def for_this_machine(cls) -> "Runtime":
        """Return the runtime for the emulator: the Python version and architecture of this machine."""
        machine = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", machine, local=True)


@dataclass(frozen=True)
class Settings:
    """The settings of a deployment. Each field is also a CDK context key in camel case: ``-c amberfloBaseUrl=…``."""

    stack_name: str = "AmberfloMetering"
    amberflo_api_key_secret_name: str = "AmberfloApiKey"  # noqa: S105 - a secret's name is not a secret
    amberflo_api_key_secret_id: str = "apiKey"  # noqa: S105 - its field; the npm package's name
    secret_kms_key_arn: str | None = None
    amberflo_base_url: str = AMBERFLO_URL
    amberflo_ingest_url: str | None = None
    event_bus_name: str | None = None
    event_sources: tuple[str, ...] = ()
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    read_scope: str | None = None
    write_scope: str | None = None
    cors_origins: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    admin_email: str | None = None
    alarm_email: str | None = None
    log_retention_days: int = 30
    ingest_log: IngestLog = "ERROR_WITH_DATA"
    ingest_concurrency: int | None = None
    ingest_min_pollers: int | None = None
    ingest_max_pollers: int | None = None
    ingest_window_seconds: int = 20
    trace_ingest: bool = False
    dashboard: bool = False
    check_meter_names: bool = True
    ledger_retention_days: int = 400
    reconcile_hours: int = 24
    reconcile_lag_hours: int = 4
    close_period_day: int = 0
    python_version: str = "3.13"
    architecture: str = "arm64"

    def __post_init__(self) -> None:
        """Raise :class:`InvalidSetting` if a value is invalid or two settings exclude each other."""
        for name, form in _FORMS.items():
            self._check_form(name, form)
        self._check_access()
        if self.ingest_log not in {"ALL_WITHOUT_DATA", "ERROR_WITH_DATA"}:
            raise InvalidSetting(f"ingestLog must be ALL_WITHOUT_DATA or ERROR_WITH_DATA, not '{self.ingest_log}'.")
        if self.log_retention_days not in RETENTION:
            raise InvalidSetting(
                f"logRetentionDays must be one of {', '.join(map(str, RETENTION))}, not {self.log_retention_days}."
            )
        self._check_queue()
        if not 0 <= self.ingest_window_seconds <= 300:
            raise InvalidSetting(f"ingestWindowSeconds must be between 0 and 300, not {self.ingest_window_seconds}.")
        if not MIN_LEDGER_DAYS <= self.ledger_retention_days <= MAX_LEDGER_DAYS:
            raise InvalidSetting(
                f"ledgerRetentionDays must be between {MIN_LEDGER_DAYS} and {MAX_LEDGER_DAYS}, not "
                f"{self.ledger_retention_days}. Amberflo accepts usage for {MIN_LEDGER_DAYS} days."
            )
        self._check_reconciliation()
        Runtime(self.python_version, self.architecture)

    def _check_reconciliation(self) -> None:
        if self.reconcile_hours not in RECONCILE_HOURS:
            raise InvalidSetting(
                f"reconcileHours must be {', '.join(map(str, RECONCILE_HOURS[:-1]))} or {RECONCILE_HOURS[-1]}, not "
                f"{self.reconcile_hours}. With 0, nothing is reconciled by schedule."
            )
        if not 0 <= self.reconcile_lag_hours <= MAX_LAG_HOURS:
            raise InvalidSetting(
                f"reconcileLagHours must be between 0 and {MAX_LAG_HOURS}, not {self.reconcile_lag_hours}."
            )
        if not 0 <= self.close_period_day <= MAX_CLOSE_PERIOD_DAY:
            raise InvalidSetting(
                f"closePeriodDay must be between 1 and {MAX_CLOSE_PERIOD_DAY}, a day that every month has, or 0 for no "
                f"schedule, not {self.close_period_day}."
            )

    def _check_form(self, name: str, form: Form) -> None:
        """Check a text, or each text of a list. An empty optional setting is not set."""
        field = next(field for field in dataclasses.fields(self) if field.name == name)
        value = getattr(self, name)
        if not value and field.default is None:
            return
        for text in value if isinstance(value, tuple) else (value,):
            if is_known(text) and not re.fullmatch(form.pattern, text):
                raise InvalidSetting(f"{_to_camel_case(name)} must be {form.description}, not '{text}'.")

    def check_kind(self, kind: StackKind) -> None:
        """Raise :class:`InvalidSetting` if a setting is not for this kind of stack."""
        if kind == "attach" and (self.admin_email or self.event_bus_name or self.cors_origins):
            raise InvalidSetting(
                "adminEmail, eventBusName and corsOrigins cannot be set: the control plane has its own."
            )
        known_scopes = {scope for scope in (self.read_scope, self.write_scope) if scope and is_known(scope)}
        if kind == "standalone" and not self.issuer and not known_scopes <= {*OWN_SCOPES}:
            raise InvalidSetting(
                f"readScope and writeScope must be {' or '.join(OWN_SCOPES)}, the scopes of the stack's Cognito pool. "
                "For other scopes set issuer and audience."
            )

    @property
    def max_batches(self) -> int:
        """How many batches of usage are processed at a time, at most."""
        if self.ingest_max_pollers is not None:
            return self.ingest_max_pollers * BATCHES_PER_POLLER
        return DEFAULT_CONCURRENCY if self.ingest_concurrency is None else self.ingest_concurrency

    def _check_queue(self) -> None:
        """Check how the queue is read. The ranges are those of CloudFormation."""
        pollers = self.ingest_min_pollers, self.ingest_max_pollers
        if (pollers[0] is None) != (pollers[1] is None):
            raise InvalidSetting("ingestMinPollers and ingestMaxPollers must be set together.")
        if self.ingest_concurrency is not None and pollers[0] is not None:
            raise InvalidSetting(
                "ingestConcurrency cannot be set together with ingestMinPollers and ingestMaxPollers: AWS limits the "
                "concurrency of a queue without provisioned pollers only."
            )
        for name, value, limit in (
            ("ingestConcurrency", self.ingest_concurrency, 1000),
            ("ingestMinPollers", pollers[0], 200),
            ("ingestMaxPollers", pollers[1], 2000),
        ):
            if value is not None and not 2 <= value <= limit:
                raise InvalidSetting(f"{name} must be between 2 and {limit}, not {value}.")
        if pollers[0] is not None and pollers[1] is not None and pollers[0] > pollers[1]:
            raise InvalidSetting(f"ingestMinPollers must not exceed ingestMaxPollers, which is {pollers[1]}.")

    def _check_access(self) -> None:
        """Check who may call the API, and from where the Lambdas call."""
        if bool(self.issuer) != bool(self.audience):
            raise InvalidSetting(
                "issuer and audience must be set together. Set neither of them to create a Cognito user pool."
            )
        if self.issuer and self.admin_email:
            raise InvalidSetting(
                "adminEmail creates a user in the stack's Cognito pool and cannot be set together with issuer."
            )
        for origin in self.cors_origins:
            if is_known(origin) and not _ORIGIN.fullmatch(origin):
                raise InvalidSetting(
                    "corsOrigins must be * or origins such as https://app.example.com, in lower case and without a "
                    f"path, not '{origin}'."
                )
        if bool(self.subnet_ids) != bool(self.security_group_ids):
            raise InvalidSetting("subnetIds and securityGroupIds must be set together.")

    @property
    def ingest_url(self) -> str:
        """The URL that usage is sent to. Amberflo takes usage at its base URL too, which may be known only later."""
        if self.amberflo_ingest_url:
            return self.amberflo_ingest_url
        return AMBERFLO_INGEST_URL if self.amberflo_base_url == AMBERFLO_URL else self.amberflo_base_url

    @classmethod
    def context_keys(cls) -> set[str]:
        """Return the CDK context keys of all settings."""
        return {_to_camel_case(field.name) for field in dataclasses.fields(cls)}

    @classmethod
    def from_context(cls, context: Callable[[str], Any]) -> "Settings":
        """Read settings from CDK context. Lists are comma-separated. Raises :class:`InvalidSetting`."""
        values = {field: context(_to_camel_case(field.name)) for field in dataclasses.fields(cls)}
        return cls(**{field.name: _convert(field, value) for field, value in values.items() if value is not None})


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _convert(field: "dataclasses.Field[Any]", value: Any) -> Any:
    if isinstance(field.default, tuple):
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    if isinstance(field.default, bool):
        if str(value).lower() not in {"true", "false"}:
            raise InvalidSetting(f"{_to_camel_case(field.name)} must be true or false, not '{value}'.")
        return str(value).lower() == "true"
    if field.type in {int, int | None}:
        try:
            return int(value)
        except ValueError:
            raise InvalidSetting(f"{_to_camel_case(field.name)} must be a whole number, not '{value}'.") from None
    return str(value)
