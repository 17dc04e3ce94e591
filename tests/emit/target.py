"""A bus on the emulator, and programs that send to it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import uuid
from typing import Any

from amberflo_workflows.local.emulator import REGION, Emulator
from tests.emit.bus import DOCUMENT

FORK = """
import os, signal, sys, threading
import boto3
from amberflo_workflows.emit import UsageEmitter

usage = UsageEmitter("metering-bus", "my.app", linger=3600, client=boto3.client("events") if {pass_client} else None)
usage.record("parent", "api-calls", 1)
usage.flush()
usage.record("parent", "api-calls", 2)

# Another thread has the lock during the fork.
locked, forked = threading.Event(), threading.Event()
def hold():
    with usage._changed:
        locked.set()
        forked.wait()
threading.Thread(target=hold).start()
locked.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    usage.record("child", "api-calls", 3)
    sys.exit()
forked.set()
assert os.waitpid(child, 0)[1] == 0
usage.record("parent", "api-calls", 4)
"""


class Target:
    """A bus on the emulator with a queue as its target, to receive the events."""

    def __init__(self, emulator: Emulator) -> None:
        self.environment = emulator.environment
        self.events, self._sqs = emulator.client("events"), emulator.client("sqs")
        with contextlib.suppress(self.events.exceptions.ResourceAlreadyExistsException):
            self.events.create_event_bus(Name="metering-bus")
        name = f"emit-{uuid.uuid4()}"
        self.queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        response = self._sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        target = {"Id": "queue", "Arn": response["Attributes"]["QueueArn"]}
        self._rule = {"Name": name, "EventBusName": "metering-bus"}
        pattern = {"detail-type": ["ingestUsage"], "source": ["my.app"]}
        self.events.put_rule(**self._rule, EventPattern=json.dumps(pattern))
        self.events.put_targets(Rule=name, EventBusName="metering-bus", Targets=[target])

    def end(self) -> None:
        self.events.remove_targets(Rule=self._rule["Name"], EventBusName="metering-bus", Ids=["queue"])
        self.events.delete_rule(**self._rule)
        self._sqs.delete_queue(QueueUrl=self.queue)

    def messages(self) -> list[str]:
        """Receive all messages of the queue. The emulator's PutEvents returns after they are in it."""
        bodies: list[str] = []
        while messages := self._sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies

    def usages(self) -> list[dict[str, Any]]:
        return [usage for message in self.messages() for usage in json.loads(message)["detail"]["records"]]


def example(text: str) -> str:
    """Return the document's example that contains a text."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if text in block]
    return str(block)


def run_python(code: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    base = {"PATH": os.defpath, "HOME": "/nonexistent"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **base},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def build_settings(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
