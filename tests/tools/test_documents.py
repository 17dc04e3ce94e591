"""Links of the documents."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def _find_links(page: Path) -> Iterator[tuple[Path, str]]:
    """The files of this repository that a page links to, each with the anchor."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            file, _, anchor = target.partition("#")
            yield (page.parent / file if file else page).resolve(), anchor


def _list_anchors(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    named = set(re.findall(r'<a id="([^"]+)">', text))
    return named | {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for file, anchor in _find_links(page):
        assert file.exists(), f"{page.name} links to {file}"
        if anchor and file.suffix == ".md":
            assert anchor in _list_anchors(file), f"{page.name} links to {file.name}#{anchor}"


def test_the_index_has_every_document() -> None:
    listed = {file for file, _ in _find_links(DOCS / "index.md")}
    assert {page.resolve() for page in DOCS.rglob("*.md")} - {(DOCS / "index.md").resolve()} <= listed
