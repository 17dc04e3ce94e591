"""A stand-in for the Amberflo SaaS: its HTTP contract over an embedded database, so that usage really adds up.

What it does is taken from Amberflo's documentation and its own SDKs; where those say nothing, a choice was made
that :class:`~amberflo_workflows.sandbox.settings.SandboxSettings` can change.
"""
