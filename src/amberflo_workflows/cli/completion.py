"""Values that the shell completes. Those of a deployment are for the local system only: on AWS they cost calls."""

from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System

_MAX_EXECUTIONS = 20


def complete_workflow(incomplete: str) -> list[str]:
    """Return the names of workflows that start with a text."""
    from amberflo_workflows.infra.operations import OPERATIONS  # noqa: PLC0415 - reads all definitions

    return [operation.name for operation in OPERATIONS if operation.name.startswith(incomplete)]


def complete_meter(incomplete: str) -> list[str]:
    """Return the names of meters that start with a text. Their execution is marked like those of the console."""
    from amberflo_workflows.operate.api_client import ApiClient  # noqa: PLC0415 - slow to import
    from amberflo_workflows.operate.loopback import loopback_session  # noqa: PLC0415 - as above

    system = _find_system()
    if system is None:
        return []
    client = ApiClient(system.api_endpoint, system.access_token, loopback_session(), started_by="console")
    names = (str(meter["meterApiName"]) for meter in client.list_meters())
    return [name for name in names if name.startswith(incomplete)]


def complete_execution(incomplete: str) -> list[str]:
    """Return the names of the newest executions that start with a text."""
    from amberflo_workflows.operate.executions.executions import Executions  # noqa: PLC0415 - slow to import
    from amberflo_workflows.operate.executions.reader import Query  # noqa: PLC0415 - as above

    system = _find_system()
    if system is None:
        return []
    page = Executions(system).list_page(Query(name_prefix=incomplete, limit=_MAX_EXECUTIONS))
    return [summary.name for summary in page.summaries]


def _find_system() -> System | None:
    return systems.find_running(home())
