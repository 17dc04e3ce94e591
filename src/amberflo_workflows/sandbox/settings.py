"""What Amberflo does not document, and what the sandbox does instead."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SandboxSettings:
    """Choices; each is also an option of the command line.

    ``strict``: refuse records that are too old, too far ahead or have odd dimensions, instead of taking them.
    ``same_key_new_value``: what a record does to one that differs in its value only.
    ``missing_meter``: the answer to an unknown meter id. ``max_body_bytes``: a larger ingest body gets a 413.
    ``visibility_delay_seconds``: how long usage takes to show. ``rule_delay_seconds``: how long a filtering rule
    takes to work.
    """

    strict: bool = False
    same_key_new_value: Literal["keep_latest", "keep_both"] = "keep_latest"
    missing_meter: Literal["empty_object", "404"] = "empty_object"
    max_body_bytes: int = 6_000_000
    visibility_delay_seconds: float = 0.0
    rule_delay_seconds: float = 0.0
