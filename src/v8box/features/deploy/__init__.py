"""Deploys from a folder: `FolderDeploys` watches it, `Bundler` bundles, `scaffold` fills an empty one."""

from v8box.features.deploy.bundler import Bundler
from v8box.features.deploy.diagnostics import BundleError
from v8box.features.deploy.discovery import Alone
from v8box.features.deploy.events import (
    Deployed,
    DeployEvent,
    DeployFailed,
    DeployStarted,
    Listener,
    Place,
    Problem,
    Removed,
    Subject,
)
from v8box.features.deploy.folder import FolderDeploys
from v8box.features.deploy.run import MAX_OUTPUT_BYTES, Completed, Run, run_unconfined
from v8box.features.deploy.scaffold import scaffold

__all__ = [
    "MAX_OUTPUT_BYTES",
    "Alone",
    "BundleError",
    "Bundler",
    "Completed",
    "DeployEvent",
    "DeployFailed",
    "DeployStarted",
    "Deployed",
    "FolderDeploys",
    "Listener",
    "Place",
    "Problem",
    "Removed",
    "Run",
    "Subject",
    "run_unconfined",
    "scaffold",
]
