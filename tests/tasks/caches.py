"""What a process of a step caches."""

from amberflo_workflows.tasks.amberflo import api_key, config, meter_names


def clear_caches() -> None:
    """Act as a new process of a Lambda."""
    for cached in (
        config.secret_location,
        config.endpoints,
        config.checks_meter_names,
        api_key.api_keys,
        meter_names.meter_list,
    ):
        cached.cache_clear()
