import ast

import pytest

from tools.vocabulary import identifiers, is_vague


@pytest.mark.parametrize("name", ["found", "one", "_told", "found_or_created", "askedFor", "is_wanted"])
def test_a_name_that_says_how_its_value_came_about_is_vague(name: str) -> None:
    assert is_vague(name)


@pytest.mark.parametrize("name", ["response", "not_found", "NotFound", "one_attempt", "foundation", "test_given_twice"])
def test_a_name_that_says_what_its_value_is_is_not(name: str) -> None:
    assert not is_vague(name)


def test_every_kind_of_name_is_looked_at() -> None:
    code = "def a(b, *c, **d):\n  for e in b: self.f = e\nclass G: pass\nh = lambda i: [j for j in i]"
    assert {name for _, name in identifiers(ast.parse(code))} == {*"abcdefGhij", "self"}


def test_the_name_of_a_library_is_not_ours() -> None:
    code = "from hypothesis import given\n@given(one)\ndef check(): pass"
    assert [name for _, name in identifiers(ast.parse(code))] == ["check", "one"]
