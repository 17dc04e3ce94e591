"""The steps of the workflows: one Lambda per file, each with a ``handler(event, context)``."""
