"""CloudFormation's lists of resources, with a hundred in a page as on AWS; the emulator returns all of them at once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from amberflo_workflows.local.emulator import client
from tests.http_server import serving

PAGE_SIZE = 100
# The operations that list the resources of a stack, with the element of their response. The first of them returns one
# page and no token for the next.
_ELEMENTS = {"DescribeStackResources": "StackResources", "ListStackResources": "StackResourceSummaries"}
_TIME = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class StackPages:
    """The stacks by name, each with the types of its resources by physical id; a stack without any may not be read."""

    stacks: Mapping[str, Mapping[str, str]]

    def render(self, call: Mapping[str, str]) -> tuple[int, str]:
        """Return the status and the body of the response to a call."""
        name, action = call["StackName"], call["Action"]
        if name not in self.stacks:
            return 400, _render_error("ValidationError", f"Stack with id {name} does not exist")
        if not self.stacks[name]:
            return 403, _render_error("AccessDenied", "User is not authorized to read the stack")
        start = int(call.get("NextToken", "0"))
        resources = list(self.stacks[name].items())
        members = "".join(
            f"<member><LogicalResourceId>R{number}</LogicalResourceId><PhysicalResourceId>{escape(physical_id)}"
            f"</PhysicalResourceId><ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>"
            f"<Timestamp>{_TIME}</Timestamp><LastUpdatedTimestamp>{_TIME}</LastUpdatedTimestamp></member>"
            for number, (physical_id, kind) in enumerate(resources[start : start + PAGE_SIZE], start)
        )
        element, end = _ELEMENTS[action], start + PAGE_SIZE
        has_token = action == "ListStackResources" and end < len(resources)
        token = f"<NextToken>{end}</NextToken>" if has_token else ""
        return 200, (
            f"<{action}Response><{action}Result><{element}>{members}</{element}>{token}</{action}Result>"
            f"</{action}Response>"
        )


def _render_error(code: str, message: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


@contextmanager
def cloudformation_with_pages(stacks: Mapping[str, Mapping[str, str]]) -> Iterator[Any]:
    """A client of CloudFormation with these stacks."""
    pages = StackPages(stacks)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, body = pages.render({name: values[0] for name, values in parse_qs(text).items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: Any) -> None:
            """Write no log."""

    with serving(Handler) as url:
        yield client(url, "cloudformation")
