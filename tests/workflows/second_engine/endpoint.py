"""moto as the other Step Functions of the workflow tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto import mock_aws

from amberflo_workflows.local.system import System
from tests.workflows.second_engine.engine import replaced_calls


@contextmanager
def serving_moto(system: System) -> Iterator[None]:
    """Let clients without an address reach moto in this process, and its states the Lambdas and tables of a system."""

    def client_for(*, service: str, **_options: Any) -> Any:
        return system.client(service)

    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}), replaced_calls(client_for):
        yield
