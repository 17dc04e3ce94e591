from tests.emit.bus import DENIED, Bus
from tests.emit.target import FORK, build_settings, run_python


def test_usages_that_fail_at_exit_are_reported_without_their_content(bus: Bus) -> None:
    bus.default_response = DENIED
    code = (
        "import atexit; from amberflo_workflows.emit import UsageEmitter; atexit.register(print, 'other')\n"
        "for _ in range(2): UsageEmitter('b', 's', linger=3600).record('acme', 'api-calls', 1)\n"
    )
    process = run_python(code, build_settings(bus.url))
    assert process.stderr.count("UsageNotSent: 1 usages could not be sent (AccessDeniedException)") == 2
    assert "acme" not in process.stderr
    assert process.stdout == "other\n"
    assert len(bus.calls) == 2


def test_a_forked_child_sends_only_its_own_usages_on_new_connections(bus: Bus) -> None:
    process = run_python(FORK.format(pass_client=True), build_settings(bus.url))
    assert process.returncode == 0, process.stderr
    assert sorted(bus.values) == [1, 2, 3, 4]
    assert [len(call) for call in bus.calls] == [1, 1, 1]
    assert bus.callers["parent"].isdisjoint(bus.callers["child"])
