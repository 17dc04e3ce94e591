"""Stacks that together switch on every setting, and one with the longest names, for linters and sizes."""

import json
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.settings import OWN_SCOPES, Settings, StackKind
from tests.infra.deep_stack import synth_deep_stack

_OPTIONS: Final[dict[str, Any]] = {
    "amberflo_api_key_secret_name": "theirs/amberflo",
    "amberflo_api_key_secret_id": "key",
    "secret_kms_key_arn": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
    "amberflo_base_url": "https://amberflo.example.com",
    "amberflo_ingest_url": "https://ingest.example.com",
    "event_sources": ("my.app", "my.other.app"),
    "read_scope": OWN_SCOPES[0],
    "write_scope": OWN_SCOPES[1],
    "subnet_ids": ("subnet-00000000000000001", "subnet-00000000000000002"),
    "security_group_ids": ("sg-00000000000000001",),
    "alarm_email": "ops@example.com",
    "log_retention_days": 365,
    "ingest_log": "ALL_WITHOUT_DATA",
    "ingest_concurrency": 1000,
    "ingest_window_seconds": 0,
    "trace_ingest": True,
    "dashboard": True,
    "check_meter_names": False,
    "ledger_retention_days": 60,
    "reconcile_hours": 6,
    "reconcile_lag_hours": 5,
    "close_period_day": 3,
}
_ISSUER: Final[dict[str, Any]] = {"issuer": "https://issuer.example.com", "audience": ("one", "two")}


DEEP: Final = "Deep"
WITH_POOL: Final = "AllWithPool"
_KINDS: Final[dict[str, StackKind]] = {WITH_POOL: "standalone", "AllWithIssuer": "standalone", "AllAttached": "attach"}
SETTINGS: Final = (
    Settings(
        stack_name=WITH_POOL,
        admin_email="admin@example.com",
        event_bus_name="theirs",
        cors_origins=("https://app.example.com", "http://localhost:3000"),
        **_OPTIONS,
    ),
    Settings(stack_name="AllWithIssuer", python_version="3.12", architecture="x86_64", **_OPTIONS, **_ISSUER),
    Settings(
        stack_name="AllAttached",
        ingest_min_pollers=2,
        ingest_max_pollers=2000,
        **{**_OPTIONS, "ingest_concurrency": None},
        **_ISSUER,
    ),
)


def synth_every_setting(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the templates by the names of their stacks; the deep one under ``DEEP``."""
    paths = {
        settings.stack_name: synth("aws", folder / settings.stack_name, settings, _KINDS[settings.stack_name])
        / f"{settings.stack_name}.template.json"
        for settings in SETTINGS
    }
    paths[DEEP] = synth_deep_stack(folder / DEEP)
    return {name: json.loads(path.read_text()) for name, path in paths.items()}
