"""The steps of the workflows: one Lambda per file, with a ``handler(event, context)``."""
