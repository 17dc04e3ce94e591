from collections.abc import Iterator

import pytest

from amberflo_workflows.local.emulator import Emulator, running_emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), wait_scale=0) as running:
        yield running
