"""The usages that the demo sends: the user's own from a file, or generated ones that are the same every time."""

import csv
import json
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

Usage = dict[str, Any]
Totals = dict[tuple[str, str], float]

SEED: Final = 20_231_116
GENERATED: Final = 600
_TENANTS: Final = ("acme", "globex", "initech")
_NUMBERS: Final = {"meterValue": float, "meterTimeInMillis": int}


class BadFile(Exception):
    """The user's file cannot be read as usages; the message says where and why."""


def generated(count: int = GENERATED) -> list[Usage]:
    """Requests to a language model, two usages each, over the last hour; the spacing is that of a busy service."""
    chance = random.Random(SEED)  # noqa: S311 - it has to be predictable
    now = int(time.time() * 1000)
    usages: list[Usage] = []
    for number in range(count // 2):
        tenant = chance.choices(_TENANTS, weights=(5, 3, 1))[0]
        when = now - chance.randrange(60_000, 3_600_000)
        tokens = {"context-tokens": int(chance.lognormvariate(6, 1)) + 1, "generated-tokens": chance.randrange(1, 500)}
        usages += [
            {
                "tenantId": tenant,
                "meterApiName": meter,
                "meterValue": value,
                "meterTimeInMillis": when,
                "uniqueId": f"demo-{number}-{meter}",
                "model": chance.choice(("small", "large")),
            }
            for meter, value in tokens.items()
        ]
    return usages


def read(path: Path) -> list[Usage]:
    """The usages of a CSV file with a header, or of a file with a JSON object a line.

    Columns or members: ``tenantId``, ``meterApiName``, ``meterValue``, and if there, ``meterTimeInMillis`` and
    ``uniqueId``; any other is a dimension. Raises :class:`BadFile`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path} cannot be read: {error}") from None
    usages = list(_from_json(path, text) if text.lstrip().startswith("{") else _from_csv(path, text))
    if not usages:
        raise BadFile(f"{path} holds no usages.")
    return usages


def _from_json(path: Path, text: str) -> Iterator[Usage]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            usage = json.loads(line)
        except ValueError as error:
            raise BadFile(f"{path}, line {number}: not JSON ({error}).") from None
        yield _checked(path, number, usage)


def _from_csv(path: Path, text: str) -> Iterator[Usage]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
        filled = {column: value for column, value in row.items() if column and value}
        try:
            yield _checked(path, number, {key: _NUMBERS.get(key, str)(value) for key, value in filled.items()})
        except ValueError as error:
            raise BadFile(f"{path}, line {number}: {error}.") from None


def _checked(path: Path, number: int, usage: Any) -> Usage:
    needed = ("tenantId", "meterApiName", "meterValue")
    if not isinstance(usage, dict) or any(usage.get(member) is None for member in needed):
        raise BadFile(f"{path}, line {number}: a usage needs {', '.join(needed)}.")
    return usage


def totals(usages: Iterable[Usage]) -> Totals:
    """What should be fetched, by meter and tenant; a usage that is there twice with one identity counts once."""
    counted: Totals = {}
    seen: set[str] = set()
    for usage in usages:
        identity = json.dumps(usage, sort_keys=True)
        if "uniqueId" in usage and identity in seen:
            continue
        seen.add(identity)
        key = (usage["meterApiName"], str(usage["tenantId"]))
        counted[key] = counted.get(key, 0) + usage["meterValue"]
    return counted
