"""Executions of the workflows: list, read, follow and start them. Prints nothing.

Use ``executions.Executions``. ``model`` has the types; ``history`` builds an execution from its events and ``graph`` a
workflow's graph from its definition, both without AWS. ``api_reader`` and ``log_reader`` read from AWS: Step Functions
keeps the history of standard workflows; express workflows are known only from their logs.
"""
