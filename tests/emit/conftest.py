import contextlib
import signal
from collections.abc import Iterator

import pytest

from amberflo_workflows.emit import UsageEmitter, UsageNotSent
from amberflo_workflows.local.emulator import Emulator
from tests.emit.bus import NEVER, Bus
from tests.emit.target import Target


@pytest.fixture(autouse=True)
def _limit_test_time() -> Iterator[None]:
    """Stop a test that waits without end, as errors of threads do."""

    def stop(*_: object) -> None:
        raise TimeoutError("the test takes too long")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 90, 5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def bus() -> Iterator[Bus]:
    bus = Bus()
    yield bus
    bus.end()


@pytest.fixture
def emitter(bus: Bus) -> Iterator[UsageEmitter]:
    """An emitter that sends when it is flushed or closed, with three attempts."""
    emitter = UsageEmitter("the-bus", "my.app", client=bus.client, linger=NEVER, max_tries=3, max_wait=0.05)
    yield emitter
    bus.open.set()
    with contextlib.suppress(UsageNotSent):
        emitter.close()


@pytest.fixture
def target(emulator: Emulator) -> Iterator[Target]:
    target = Target(emulator)
    yield target
    target.end()
