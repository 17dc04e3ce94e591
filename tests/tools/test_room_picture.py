from graphlib import CycleError

import pytest

from tools.room_picture import DESIGN, reduce_imports, render_design, render_flowchart


def test_the_committed_picture_shows_the_imports_as_they_are() -> None:
    text = DESIGN.read_text()
    assert text == render_design(text), "run: make pictures"
    assert "flowchart TD" in text


def test_an_import_that_others_imply_is_left_out() -> None:
    imports = {
        "cli": frozenset({"operate", "core"}),
        "operate": frozenset({"core"}),
        "core": frozenset[str](),
        "infra": frozenset[str](),
    }
    assert reduce_imports(imports) == {**imports, "cli": frozenset({"operate"})}


def test_each_room_has_an_arrow_to_those_that_it_imports_or_stands_alone() -> None:
    flowchart = render_flowchart({"cli": frozenset({"core", "operate"}), "core": frozenset()})
    assert flowchart.splitlines() == ["flowchart TD", "  cli --> core", "  cli --> operate", "  core"]


def test_rooms_that_import_each_other_are_not_drawn() -> None:
    with pytest.raises(CycleError):
        reduce_imports({"cli": frozenset({"core"}), "core": frozenset({"cli"})})
