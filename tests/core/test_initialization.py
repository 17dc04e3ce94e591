import pytest

from amberflo_workflows.core.initialization import at_initialization


@pytest.mark.parametrize(
    ("variables", "is_called"),
    [
        ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"}, True),
        ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}, True),
        ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}, False),
        ({}, False),
    ],
    ids=["local Lambda", "Lambda", "snapshot", "no Lambda"],
)
def test_a_lambda_prepares_itself_unless_it_becomes_a_snapshot(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, is_called: bool
) -> None:
    calls: list[str] = []
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    at_initialization(lambda: calls.append("prepared"))
    assert calls == (["prepared"] if is_called else [])


def test_an_error_is_left_to_the_first_invocation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")

    def fail() -> None:
        raise RuntimeError("the secret cannot be read")

    at_initialization(fail)
    assert caplog.messages == ["initialization incomplete"]
