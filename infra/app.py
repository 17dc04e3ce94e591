"""The CDK app. ``python -m amberflo_workflows.infra.app`` writes the template for AWS to ``build/cdk.out``."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from amberflo_workflows.infra.arguments import parse_arguments
from amberflo_workflows.infra.bundle import BundleFailed
from amberflo_workflows.infra.node import NodeMissing, use_packaged_node
from amberflo_workflows.infra.settings import InvalidSetting, Runtime, Settings, StackKind

if TYPE_CHECKING:
    from aws_cdk import App

OUT: Final = Path("build") / "cdk.out"
Target = Literal["aws", "local"]


def add_stack(app: "App", target: Target, settings: Settings, kind: StackKind = "standalone") -> None:
    """Add the stack to an app: the standalone stack, or the one for a control plane that is already deployed."""
    from amberflo_workflows.infra.attach_stack import AttachStack  # noqa: PLC0415 - needs use_packaged_node first
    from amberflo_workflows.infra.stack import MeteringStack  # noqa: PLC0415 - slow to import, and not always needed

    runtime = Runtime(settings.python_version, settings.architecture) if target == "aws" else Runtime.for_this_machine()
    stack = AttachStack if kind == "attach" else MeteringStack
    stack(app, settings.stack_name, settings=settings, runtime=runtime)


def synth(target: Target, outdir: Path, settings: Settings | None = None, kind: StackKind = "standalone") -> Path:
    """Synthesise in this process into ``outdir``, which is emptied first. Returns the folder of the cloud assembly.

    Raises :class:`InvalidSetting`, :class:`BundleFailed`, :class:`NodeMissing`.
    """
    use_packaged_node()
    from aws_cdk import App, AssetStaging  # noqa: PLC0415 - needs use_packaged_node first

    # Without these two lines, a second synthesis in one process uses stale or empty assets.
    AssetStaging.clear_asset_hash_cache()
    shutil.rmtree(outdir, ignore_errors=True)
    app = App(outdir=str(outdir), analytics_reporting=False)
    add_stack(app, target, settings or Settings(), kind)
    app.synth()
    return outdir


def main(arguments: Sequence[str]) -> int:
    """Synthesise the stack, either for the CDK command line or when run by hand with ``-c key=value``.

    With ``attach`` as the first argument, the stack is the one for a control plane that is already deployed.
    """
    try:
        # The CDK command line passes its context in the environment.
        kind: StackKind = "attach" if "attach" in arguments[:1] else "standalone"
        options = arguments[1:] if kind == "attach" else arguments
        context = json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}")) | _parse_context(options)
        settings = Settings.from_context(context.get)
        use_packaged_node()
        from aws_cdk import App  # noqa: PLC0415 - needs use_packaged_node first

        app = App(outdir=os.environ.get("CDK_OUTDIR", str(OUT)), analytics_reporting=False)
        add_stack(app, "aws", settings, kind)
        app.synth()
    except (InvalidSetting, BundleFailed, NodeMissing) as error:
        print(error, file=sys.stderr)
        return 1
    if "CDK_OUTDIR" not in os.environ:
        print(f"Template in {OUT}")
    return 0


def _parse_context(arguments: Sequence[str]) -> dict[str, str]:
    parsed = parse_arguments(arguments)
    if parsed.others or parsed.parameters or parsed.profile:
        raise InvalidSetting(f"Settings must be passed as -c key=value, not '{' '.join(arguments)}'.")
    return parsed.context


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
