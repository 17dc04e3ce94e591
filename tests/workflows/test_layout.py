"""How the ASL files are written, and the pictures that are drawn from them."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.asl import FILES, iter_states, load_workflow, workflow_name
from tools import workflow_pictures as pictures

MAX_LINE_LENGTH = 120
MAX_LINES_PER_STATE = 50

every_workflow = pytest.mark.parametrize("path", FILES, ids=workflow_name)


def _wrap(members: str, indent: int, indent_of_rest: int) -> list[str]:
    """Break between members and list items only, never between a name and its value."""
    lines = textwrap.wrap(
        members.replace(": ", ":\xa0"),
        MAX_LINE_LENGTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent_of_rest,
    )
    return [line.replace("\xa0", " ") for line in lines]


def _render_retrier(retrier: dict[str, Any], indent: int, comma: str) -> list[str]:
    limits = {key: value for key, value in retrier.items() if key != "ErrorEquals"}
    errors = json.dumps(retrier["ErrorEquals"])
    return [
        *_wrap(f'{{"ErrorEquals": {errors},', indent, indent + 2),
        *_wrap(json.dumps(limits)[1:] + comma, indent + 1, indent + 1),
    ]


@every_workflow
def test_a_retrier_has_its_errors_on_one_line_and_its_limits_on_the_next(path: Path) -> None:
    text = path.read_text()
    blocks = re.findall(r'^( *)"Retry": \[\n(.*?)\n\1\]', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == text.count('"Retry"')
    for indent, block in blocks:
        retriers = json.loads(f"[{block}]")
        expected = [
            line
            for number, retrier in enumerate(retriers, 1)
            for line in _render_retrier(retrier, len(indent) + 2, "," if number < len(retriers) else "")
        ]
        assert block.split("\n") == expected


@every_workflow
def test_no_line_is_longer_than_120_characters(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > MAX_LINE_LENGTH] == []


@every_workflow
def test_a_state_fits_on_a_screen(path: Path) -> None:
    lines: dict[str, int] = {}
    for indent in (4, 10):
        states_as_written = re.finditer(
            rf'^ {{{indent}}}"(\w+)": \{{\n +"Comment".*?\n {{{indent}}}\}}', path.read_text(), re.MULTILINE | re.DOTALL
        )
        for state in states_as_written:
            inner = re.search(r'\n {8}"States": \{.*?\n {8}\}', state[0], re.DOTALL)
            lines[state[1]] = state[0].count("\n") + 1 - (inner[0].count("\n") if inner else 0)
    assert lines.keys() == {state.name for state in iter_states(load_workflow(path))}
    assert {name: count for name, count in lines.items() if count > MAX_LINES_PER_STATE} == {}


@every_workflow
def test_every_state_has_a_comment(path: Path) -> None:
    machine = load_workflow(path)
    assert machine["Comment"]
    assert [state.name for state in iter_states(machine) if len(state.body.get("Comment", "")) < 12] == []


def test_the_committed_pictures_show_the_workflows_as_they_are() -> None:
    root = pictures.ROOT
    assert (root / "docs" / "workflows.md").read_text() == pictures.render_document(), "run: make pictures"
    text = (root / "README.md").read_text()
    assert text == pictures.render_readme(text), "run: make pictures"
    assert "flowchart TD" in text
