from tests.emit.bus import DENIED, Bus
from tests.emit.target import FORK, python, settings_for


def test_what_could_not_be_sent_when_a_process_ends_is_told_without_what_is_in_it(bus: Bus) -> None:
    bus.otherwise = DENIED
    code = (
        "import atexit; from amberflo_workflows.emit import UsageEmitter; atexit.register(print, 'other')\n"
        "for _ in range(2): UsageEmitter('b', 's', linger=3600).record('acme', 'api-calls', 1)\n"
    )
    done = python(code, settings_for(bus.url))
    assert done.stderr.count("UsageNotSent: 1 usages could not be sent (AccessDeniedException)") == 2
    assert "acme" not in done.stderr
    assert done.stdout == "other\n"
    assert len(bus.calls) == 2


def test_a_forked_child_sends_its_own_usages_and_not_those_of_its_parent_on_connections_of_its_own(bus: Bus) -> None:
    done = python(FORK.format(given=True), settings_for(bus.url))
    assert done.returncode == 0, done.stderr
    assert sorted(bus.values) == [1, 2, 3, 4]
    assert [len(call) for call in bus.calls] == [1, 1, 1]
    assert bus.callers["parent"].isdisjoint(bus.callers["child"])
