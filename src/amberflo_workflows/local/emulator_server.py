"""Run the emulator's server: ``python -m amberflo_workflows.local.emulator_server``.

The emulator hands a Lambda its event in two packets, header and body. Without TCP_NODELAY, the second one waits for the
acknowledgement of the first one, which the system delays by 40 ms. The emulator has no setting for that. Its server of
Lambda's runtime API is Python's own, which has.
"""

import runpy
from socketserver import StreamRequestHandler


def main() -> None:
    """Run the emulator in this process until it is stopped."""
    StreamRequestHandler.disable_nagle_algorithm = True
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
