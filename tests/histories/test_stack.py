"""The stack of the histories has the settings of the deployed one."""

from amberflo_workflows.infra import ingest
from amberflo_workflows.infra.settings import Settings
from tests.histories.stack import MAX_RECEIVE_COUNT, VISIBILITY_SECONDS


def test_the_queue_has_the_settings_of_the_template() -> None:
    assert ingest.MAX_RECEIVE_COUNT == MAX_RECEIVE_COUNT
    timeout = ingest.compute_visibility_timeout(Settings().ingest_window_seconds)
    assert timeout.to_seconds() == VISIBILITY_SECONDS
