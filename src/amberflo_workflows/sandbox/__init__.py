"""A substitute for the Amberflo SaaS: its HTTP API over an embedded database, so that usage is really counted.

Its behaviour follows Amberflo's documentation and SDKs. Where those say nothing, the behaviour is an assumption that
:class:`~amberflo_workflows.sandbox.settings.SandboxSettings` can change.
"""
