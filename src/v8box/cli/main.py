"""The `v8box` command: which words there are, and where each lives."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import typer

from v8box.cli.lazy import group_of

WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "The box": {
            "up": "v8box.cli.local",
            "init": "v8box.cli.init",
            "dev": "v8box.cli.local",
            "doctor": "v8box.cli.local",
            "inbox": "v8box.cli.inbox",
            "notify": "v8box.cli.notify",
            "recover": "v8box.cli.local",
            "version": "v8box.cli.local",
        },
        "Workers": {
            "deploy": "v8box.cli.deploy",
            "list": "v8box.cli.workers",
            "worker": "v8box.cli.worker",
            "show": "v8box.cli.workers",
            "versions": "v8box.cli.workers",
            "history": "v8box.cli.workers",
            "diff": "v8box.cli.workers",
            "download": "v8box.cli.workers",
            "tag": "v8box.cli.workers",
            "promote": "v8box.cli.deployments",
            "rollback": "v8box.cli.deployments",
            "split": "v8box.cli.deployments",
            "canary": "v8box.cli.canary",
            "delete": "v8box.cli.workers",
            "cache": "v8box.cli.response_cache",
            "run": "v8box.cli.call",
            "logs": "v8box.cli.logs",
            "runs": "v8box.cli.runs",
            "metrics": "v8box.cli.metrics",
            "top": "v8box.cli.metrics",
            "kills": "v8box.cli.kills",
            "slow": "v8box.cli.slow",
            "profile": "v8box.cli.captures",
            "memory": "v8box.cli.memory",
            "heap": "v8box.cli.captures",
            "errors": "v8box.cli.errors",
            "explain": "v8box.cli.explain",
            "open": "v8box.cli.call",
            "env": "v8box.cli.env",
            "secret": "v8box.cli.secret",
        },
        "Sites": {
            "pages": "v8box.cli.pages",
        },
        "Access": {
            "login": "v8box.cli.sign_in",
            "logout": "v8box.cli.sign_in",
            "whoami": "v8box.cli.sign_in",
            "account": "v8box.cli.account",
            "token": "v8box.cli.token",
            "user": "v8box.cli.user",
            "key": "v8box.cli.key",
            "project": "v8box.cli.project",
            "audit": "v8box.cli.audit",
        },
        "Data": {
            "db": "v8box.cli.db",
            "s3": "v8box.cli.s3",
            "types": "v8box.cli.types",
        },
    }
)

app = typer.Typer(
    name="v8box",
    cls=group_of(WORDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def v8box() -> None:
    """The self-hosted serverless platform: TypeScript workers on V8, in one box you own."""


def main() -> None:
    app()
