"""Usage metering with Amberflo for SaaS on AWS: every operation a Step Functions workflow.

``AmberfloMetering`` is the CDK construct, from the extra ``amberflo-workflows[cdk]``. Application code reports usage
with :mod:`amberflo_workflows.emit`. The construct is imported when it is first asked for: Lambdas and application
code import this package too, and need no CDK.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amberflo_workflows.infra.metering import AmberfloMetering

__all__ = ["AmberfloMetering", "__version__"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs a Lambda some milliseconds, which needs it not

        return version("amberflo-workflows")
    if name == "AmberfloMetering":
        from amberflo_workflows.infra.node import use_packaged_node  # noqa: PLC0415 - see the module's text

        use_packaged_node()
        try:
            from amberflo_workflows.infra.metering import AmberfloMetering  # noqa: PLC0415 - Node has to be found first
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("amberflo_workflows"):
                raise
            raise ImportError(
                f"AmberfloMetering needs {error.name}, which is not installed: pip install 'amberflo-workflows[cdk]'"
            ) from error
        return AmberfloMetering
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
