"""Write ``entrypoints/openapi.json``.

Run by ``make openapi``; a test compares the committed file with what this module writes.
"""

from amberflo_workflows.entrypoints.api import DOCUMENT
from tools.openapi.document import render_document

DOCUMENT.write_text(render_document())
