"""What a process of a step caches."""

from amberflo_workflows.core import aws_call, connections
from amberflo_workflows.tasks.amberflo import api_key, config, meter_names, transport


def clear_caches() -> None:
    """Act as a new process of a Lambda."""
    for cached in (
        config.secret_location,
        config.endpoints,
        config.checks_meter_names,
        api_key.api_keys,
        meter_names.meter_list,
        aws_call.client,
        connections.tls_context,
        transport._connect_to,
    ):
        cached.cache_clear()
