"""Behaviour that Amberflo does not document, as settings of the sandbox."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SandboxSettings:
    """Settings of the sandbox; each one is also an option of the command line.

    ``strict``: reject records that are too old, too far in the future or have invalid dimensions, and meter types
    that only older clients know.
    ``same_key_new_value``: what happens to a record when another one differs from it only in its value.
    ``missing_meter``: the response to an unknown meter id.
    ``max_body_bytes``: a larger ingest body gets status 413.
    ``visibility_delay_seconds``: time until ingested usage appears in reports.
    ``rule_delay_seconds``: time until a filtering rule takes effect.
    """

    strict: bool = False
    same_key_new_value: Literal["keep_latest", "keep_both"] = "keep_latest"
    missing_meter: Literal["empty_object", "404"] = "empty_object"
    max_body_bytes: int = 6_000_000
    visibility_delay_seconds: float = 0.0
    rule_delay_seconds: float = 0.0
