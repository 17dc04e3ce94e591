"""A definition in the Amazon States Language, indented and with marks for what its parts are."""

import json
import re
from typing import Final

from markupsafe import Markup, escape

# A member's name, a text, and a number or word; all else are brackets and spaces.
_TOKEN: Final = re.compile(r"""(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>[-\w.+]+)""")


def format_definition(text: str) -> str:
    """Indent a definition."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def highlight(text: str) -> Markup:
    """Mark the names, texts and numbers of JSON, each with the class of the JSON trees."""
    parts, end = [], 0
    for match in _TOKEN.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<span class="json-{}">{}</span>').format(match.lastgroup, match[0]))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
