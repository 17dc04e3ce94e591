"""Run the emulator's server without three of its delays: ``python -m amberflo_workflows.local.emulator_server``.

- It waits 150 ms before each execution, which AWS does not.
- A Lambda is sent its event in two packets, header and body. Without TCP_NODELAY, the second one waits for the
  acknowledgement of the first one, which the system delays by 40 ms.
- Each iteration of a map copies the execution's context with ``copy.deepcopy``, which takes several times as long as
  pickle.

The emulator has no setting for them. Its files stay as they are.
"""

import copy
import pickle
import runpy
import time
from socketserver import StreamRequestHandler
from types import SimpleNamespace
from typing import Any, Final

EXECUTION_PAUSE_SECONDS: Final = 0.15


def main() -> None:
    """Run the emulator in this process until it is stopped."""
    from ministack.services import stepfunctions  # noqa: PLC0415 - reads its environment when it is imported

    stepfunctions.time = SimpleNamespace(**{**vars(time), "sleep": _sleep})
    stepfunctions.copy = SimpleNamespace(**{**vars(copy), "deepcopy": deepcopy_by_pickle})
    StreamRequestHandler.disable_nagle_algorithm = True
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)


def deepcopy_by_pickle(value: Any) -> Any:
    """Return a deep copy of what the emulator keeps of executions, which is JSON and objects of its own."""
    return pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - written by this process


def _sleep(seconds: float) -> None:
    if seconds != EXECUTION_PAUSE_SECONDS:
        time.sleep(seconds)


if __name__ == "__main__":
    main()
