"""Reading the settings: once, at start, with every fault in one `SettingsError`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from v8box.errors import SettingsError
from v8box.settings.groups import DATA_DIRECTORY, FILE_NAME, GROUPS, From, Settings
from v8box.settings.readers import text
from v8box.settings.source import Source


def variables() -> tuple[tuple[str, str, Any], ...]:
    """Every setting as (environment variable, key in v8box.toml, default). For help texts and the documents' tests."""
    listed: list[tuple[str, str, Any]] = [(*DATA_DIRECTORY, "data")]
    for group in GROUPS.values():
        listed.extend((origin.variable, origin.key, default) for _, origin, default in _described(group))
    return tuple(listed)


def hidden_variables() -> frozenset[str]:
    """The environment variables that hold secrets: no process that the box starts is to inherit them."""
    return frozenset(
        origin.variable for group in GROUPS.values() for _, origin, _ in _described(group) if origin.hidden
    )


def _machine_memory_mb() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()  # a container's share, not the machine's
    except OSError:
        limit = "max"
    return (min(total, int(limit)) if limit.isdigit() else total) // 1_048_576


def load(directory: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the box that serves `directory`. Raises `SettingsError` naming every fault."""
    directory = Path(os.path.abspath(directory))
    source = Source(directory / FILE_NAME, environ)
    groups = {name: _read_group(group, source) for name, group in GROUPS.items()}
    if source.given("sandboxes.max", "V8BOX_MAX_SANDBOXES") is None:
        groups["sandboxes"]["max_sandboxes"] = max(4, min(1_024, _machine_memory_mb() // 2 // 32))
    data_directory = Path(os.path.abspath(directory / (source.read(*DATA_DIRECTORY, text, hidden=False) or "data")))
    if data_directory == directory or data_directory in directory.parents:
        source.fault(*DATA_DIRECTORY, "must be a folder of its own, not the served folder or one that holds it")
    _check_s3(groups["s3"], source)
    _check_vault(groups["vault"], source)
    _check_cdn(groups["cdn"], source)
    source.refuse_unknown()
    if source.faults:
        raise SettingsError("\n".join(source.faults))
    built = {name: group(**groups[name]) for name, group in GROUPS.items()}
    return Settings(directory=directory, data_directory=data_directory, **built)


def ignored(settings: Settings) -> tuple[str, ...]:
    """What is set and does nothing in this version, a sentence for each: nobody should believe that it works."""
    told = {
        "CLOUDFLARE_TOKEN": (settings.box.cloudflare_token, "makes no DNS records and no certificates"),
    }
    return tuple(f"{name} is set, but this version {does}" for name, (value, does) in told.items() if value is not None)


def _read_group(group: type[Any], source: Source) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, origin, default in _described(group):
        value = source.read(origin.variable, origin.key, origin.read, hidden=origin.hidden)
        values[name] = default if value is None else value
    return values


def _described(group: type[Any]) -> list[tuple[str, From, Any]]:
    """The fields of a group: name, where it comes from, default."""
    hints = get_type_hints(group, include_extras=True)
    return [(each.name, hints[each.name].__metadata__[0], each.default) for each in fields(group)]


def _check_s3(values: Mapping[str, Any], source: Source) -> None:
    keys = {"S3_ACCESS_KEY": "access_key", "S3_SECRET_KEY": "secret_key"}
    missing = [variable for variable, name in keys.items() if values[name] is None]
    if values["endpoint"] is not None:
        for variable in missing:
            source.fault(variable, f"s3.{keys[variable]}", "is missing, and S3_ENDPOINT needs it")
    elif len(missing) < len(keys) and source.given("s3.endpoint", "S3_ENDPOINT") is None:
        source.fault("S3_ENDPOINT", "s3.endpoint", "is missing, but S3 keys are set")


def _check_vault(values: Mapping[str, Any], source: Source) -> None:
    token, file = values["token"], values["token_file"]
    if token is not None and file is not None:
        source.fault("V8BOX_VAULT_TOKEN_FILE", "vault.token_file", "and VAULT_TOKEN are both set: one of them, please")
    if token is not None and not token.reveal().isascii():
        source.fault("VAULT_TOKEN", "vault.token", "must be ASCII")
    if values["address"] is not None and token is None and file is None:
        wanted = (
            "is missing, and VAULT_ADDR needs it (or V8BOX_VAULT_TOKEN_FILE); without VAULT_ADDR, Vault is not used"
        )
        source.fault("VAULT_TOKEN", "vault.token", wanted)


def _check_cdn(values: Mapping[str, Any], source: Source) -> None:
    wanted = {"V8BOX_CDN": "kind", "V8BOX_CDN_TOKEN": "token", "V8BOX_CDN_ZONE": "zone"}
    missing = [variable for variable, name in wanted.items() if values[name] is None]
    if 0 < len(missing) < len(wanted) or (missing and values["url"] is not None):
        for variable in missing:
            source.fault(variable, f"cdn.{wanted[variable]}", "is missing: a CDN needs its kind, a token and a zone")
    token = values["token"]
    if token is not None and not (token.reveal().isascii() and token.reveal().isprintable()):
        source.fault("V8BOX_CDN_TOKEN", "cdn.token", "must be printable ASCII")
