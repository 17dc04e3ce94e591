"""Usage metering with Amberflo for SaaS on AWS: every operation is a Step Functions workflow.

``AmberfloMetering`` is the CDK construct, ``Monitoring`` its alarms and dashboard; both need the extra
``amberflo-workflows[cdk]``. ``SbtAmberfloMetering`` is the construct for a control plane of the SaaS Builder Toolkit,
and needs the bindings that ``metering sbt-bindings`` builds. Application code reports usage with
:mod:`amberflo_workflows.emit`. Constructs are imported on first access, since Lambdas and application code import this
package too and have no CDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from amberflo_workflows.infra.metering import AmberfloMetering
    from amberflo_workflows.infra.monitoring import Monitoring
    from amberflo_workflows.infra.sbt.metering import SbtAmberfloMetering

__all__ = ["AmberfloMetering", "Monitoring", "SbtAmberfloMetering", "__version__"]

_CONSTRUCTS: Final = {
    "AmberfloMetering": "metering",
    "Monitoring": "monitoring",
    "SbtAmberfloMetering": "sbt.metering",
}
# Modules that are not part of the extra, and how to get them.
_INSTALL_HINTS: Final = {
    "amberflo_sbt": "build it with: metering sbt-bindings, or python -m amberflo_workflows.infra.sbt.bindings",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - it costs milliseconds, and Lambdas do not need it

        return version("amberflo-workflows")
    if name in _CONSTRUCTS:
        return _import_construct(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _import_construct(name: str) -> object:
    from amberflo_workflows.infra.node import use_packaged_node  # noqa: PLC0415 - see the module's docstring

    use_packaged_node()
    try:
        module = import_module(f"amberflo_workflows.infra.{_CONSTRUCTS[name]}")
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.startswith("amberflo_workflows"):
            raise
        hint = _INSTALL_HINTS.get(missing, "pip install 'amberflo-workflows[cdk]'")
        raise ImportError(f"{name} needs {missing}, which is not installed: {hint}") from error
    return getattr(module, name)
