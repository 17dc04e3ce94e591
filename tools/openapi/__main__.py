"""Write ``entrypoints/openapi.json``.

Run by ``make openapi``; a test compares what is committed with what this makes.
"""

from amberflo_workflows.entrypoints.api import DOCUMENT
from tools.openapi.document import text

DOCUMENT.write_text(text())
