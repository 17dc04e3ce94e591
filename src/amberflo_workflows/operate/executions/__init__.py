"""Executions of the workflows: find them, read what happened in them, start them. Prints nothing.

``executions.Executions`` is the way in. ``model`` says what an execution is; ``history`` folds its events into that,
``graph`` draws the workflow from its definition; both are pure. ``api_reader`` and ``log_reader`` fetch: Step Functions
keeps the history of standard workflows, and of express ones nothing but what they log.
"""
