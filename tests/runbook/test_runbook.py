"""The runbook has a section for each alarm, and its commands exist."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from amberflo_workflows.cli.main import app
from tests.packages import ROOT
from tests.runbook.alarms import alarm_names, section_title

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
OTHER_SECTIONS = {"Failures without an alarm", "Numbers without an alarm"}


def _sections() -> set[str]:
    return {name for title in re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE) for name in title.split(", ")}


def _commands() -> Iterator[str]:
    for block in re.findall(r"^```sh\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL):
        yield from (line for line in block.splitlines() if line.startswith("metering "))
    yield from re.findall(r"`(metering [a-z][^`]+)`", RUNBOOK.replace("\n", " "))


@pytest.mark.system
def test_each_alarm_has_a_section_and_each_section_an_alarm(template: dict[str, Any]) -> None:
    assert _sections() - OTHER_SECTIONS == {section_title(name) for name in alarm_names(template).values()}
    descriptions = [
        template["Resources"][logical_id]["Properties"]["AlarmDescription"] for logical_id in alarm_names(template)
    ]
    assert all("docs/runbook.md" in text for text in descriptions)


@pytest.mark.parametrize("command", sorted(set(_commands())))
def test_each_command_of_the_runbook_exists(command: str) -> None:
    # Parsed, not run: the tests of the alarms do what the runbook says.
    words = shlex.split(command)[1:]
    group: Any = typer.main.get_command(app)
    context = group.make_context("metering", words)
    while hasattr(group, "resolve_command"):
        name, group, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        context = group.make_context(name, rest, parent=context)
