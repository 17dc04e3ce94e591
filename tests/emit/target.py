"""A bus on the emulator to send to, and programs that do."""

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

usage = UsageEmitter("metering-bus", "my.app", linger=3600, client=boto3.client("events") if {given} else None)
usage.record("parent", "api-calls", 1)
usage.flush()
usage.record("parent", "api-calls", 2)

# At the moment of the fork another thread has the lock.
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
    """A bus on the emulator with a queue behind it, to see what arrives."""

    def __init__(self, emulator: Emulator) -> None:
        self.environment = emulator.environment
        self.events, self._sqs = emulator.client("events"), emulator.client("sqs")
        with contextlib.suppress(self.events.exceptions.ResourceAlreadyExistsException):
            self.events.create_event_bus(Name="metering-bus")
        name = f"emit-{uuid.uuid4()}"
        self.queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        self._rule = {"Name": name, "EventBusName": "metering-bus"}
        pattern = {"detail-type": ["ingestUsage"], "source": ["my.app"]}
        self.events.put_rule(**self._rule, EventPattern=json.dumps(pattern))
        self.events.put_targets(
            Rule=name, EventBusName="metering-bus", Targets=[{"Id": "queue", "Arn": asked["Attributes"]["QueueArn"]}]
        )

    def end(self) -> None:
        self.events.remove_targets(Rule=self._rule["Name"], EventBusName="metering-bus", Ids=["queue"])
        self.events.delete_rule(**self._rule)
        self._sqs.delete_queue(QueueUrl=self.queue)

    def messages(self) -> list[str]:
        """All that is in the queue; PutEvents has put it there before it answers."""
        found: list[str] = []
        while more := self._sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in more]
        return found

    def usages(self) -> list[dict[str, Any]]:
        return [usage for message in self.messages() for usage in json.loads(message)["detail"]["records"]]


def example(text: str) -> str:
    """The example of the document with a text in it."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if text in block]
    return str(block)


def python(code: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    beside = {"PATH": os.defpath, "HOME": "/nonexistent"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **beside},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def settings_for(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
