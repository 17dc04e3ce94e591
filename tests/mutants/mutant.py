"""A small break of the code that a test must notice: a text, and what replaces it."""

from typing import Final, NamedTuple

_HISTORIES: Final = "tests/histories/test_histories.py"


class Mutant(NamedTuple):
    """``before`` in a file becomes ``after``, and the tests in ``killed_by`` fail."""

    name: str
    file: str
    before: str
    after: str
    killed_by: str = _HISTORIES

    def __str__(self) -> str:
        return self.name.replace(" ", "-")
