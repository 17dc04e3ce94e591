"""CDK apps of which only the templates are read."""

from pathlib import Path
from typing import Final

from amberflo_workflows.infra.node import use_packaged_node

use_packaged_node()

from aws_cdk import App, AssetStaging  # noqa: E402 - needs use_packaged_node first

# From aws-cdk-lib/cx-api. Without it CDK copies the bundle, more than a thousand files, for each app.
_NO_COPIES: Final = {"aws:cdk:disable-asset-staging": True}


def create_app(folder: Path) -> App:
    """Return an app whose templates go into ``folder``, without copies of its assets."""
    # A second app in one process would use what the first one cached of the assets.
    AssetStaging.clear_asset_hash_cache()
    return App(outdir=str(folder), analytics_reporting=False, context=_NO_COPIES)
