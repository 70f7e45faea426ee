"""`v8box s3`: buckets, objects and access keys of the running box. Objects are written s3://bucket/key."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Yes, ask, ask_name, fail, parse_seconds, parse_size, say, size

if TYPE_CHECKING:
    from v8box.cli.client import BoxClient

app = typer.Typer(name="s3", help="Buckets, objects and access keys of the running box.", no_args_is_help=True)
key_app = typer.Typer(name="key", help="Access keys for S3 clients.", no_args_is_help=True)

_SCHEME: Final = "s3://"
_PAGE: Final = 1_000
_CHUNK_BYTES: Final = 1024 * 1024
_SHOWN: Final = 10_000


@app.command("buckets")
@on_box
def buckets(
    command: Command,
) -> None:
    """List the buckets."""
    client = command.admin
    found = client.get("s3/buckets")
    rows = [
        (
            each["name"],
            "?" if each["objects"] is None else each["objects"],
            size(each["sizeBytes"]),
            "none" if each["quota"] is None else size(each["quota"]),
        )
        for each in found
    ]
    command.show(found, ("name", "objects", "size", "quota"), rows)


@app.command("create")
@on_box
def create_bucket(
    command: Command,
    name: Annotated[str, typer.Argument(help="3 to 63 of a-z, 0-9, . and -.")],
    quota: Annotated[str | None, typer.Option("--quota", help="What it may hold: 10GB, 500MiB …")] = None,
) -> None:
    """Make a bucket."""
    body = {"name": name, "quota": None if quota is None else parse_size(quota)}
    client = command.admin
    made = client.post("s3/buckets", body)
    command.show(made, ("name",), [(made["name"],)])
    say(f'In a worker, grant it in the manifest and use s3.use("{name}"); upload with: v8box s3 cp FILE s3://{name}/')


@app.command("delete")
@on_box
def delete_bucket(
    command: Command,
    name: Annotated[str, typer.Argument(help="An empty bucket.")],
    yes: Yes = False,
) -> None:
    """Delete an empty bucket. `v8box s3 rm --recursive s3://NAME/` empties it."""
    client = command.admin
    ask_name("bucket", name, yes=yes)
    deleted = client.delete(_bucket(name))
    command.show(deleted, ("deleted",), [(deleted["deleted"],)])


@app.command("ls")
@on_box
def ls(
    command: Command,
    place: Annotated[str, typer.Argument(metavar="BUCKET[/PREFIX]", help="Also written s3://bucket/prefix.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="All that is below, instead of folders.")
    ] = False,
) -> None:
    """List objects."""
    bucket, prefix = _split(place)
    client = command.admin
    objects: list[Any] = []
    prefixes: list[str] = []
    more = False
    for page in _pages(client, bucket, prefix, None if recursive else "/"):
        objects += page["objects"]
        prefixes += page["prefixes"]
        more = len(objects) + len(prefixes) >= _SHOWN and page["cursor"] is not None
        if more:
            break
    rows = [(name, "", "") for name in prefixes]
    rows += [(each["key"], size(each["sizeBytes"]), each["uploaded"]) for each in objects]
    data = {"objects": objects, "prefixes": prefixes, "more": more}
    command.show(data, ("key", "size", "uploaded"), rows)
    if more:
        say(f"There is more than {_SHOWN}: list a longer prefix")


@app.command("cp")
@on_box
def cp(
    command: Command,
    source: Annotated[str, typer.Argument(help="A file, - for standard input, or s3://bucket/key.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/key, s3://bucket/folder/, a file, a folder, or -.")],
    content_type: Annotated[
        str | None, typer.Option("--content-type", help="What an upload is; else told by its name.")
    ] = None,
) -> None:
    """Upload a file, or download an object."""
    if source.startswith(_SCHEME) == target.startswith(_SCHEME):
        fail("One of the two has to be an object, s3://bucket/key, and the other a file or -")
    client = command.admin
    if target.startswith(_SCHEME):
        _upload(client, source, target, content_type)
    else:
        _download(client, source, target)


@app.command("rm")
@on_box
def rm(
    command: Command,
    place: Annotated[str, typer.Argument(metavar="s3://BUCKET/KEY", help="The object, or with --recursive a prefix.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="All objects whose keys begin so.")] = False,
    yes: Yes = False,
) -> None:
    """Delete an object, or all below a prefix."""
    bucket, key = _split(place)
    if not key and not recursive:
        fail(f"Name an object, {_SCHEME}{bucket}/key, or say --recursive for all of them")
    client = command.admin
    if not recursive:
        client.delete(f"{_bucket(bucket)}/objects/", key=key)
        say(f"Deleted {_SCHEME}{bucket}/{key}")
        return
    ask(f"This deletes every object of {bucket} whose key begins with {key!r}, for good. Go on?", yes=yes)
    deleted = 0
    while keys := [each["key"] for each in next(_pages(client, bucket, key, None))["objects"]]:
        client.post(f"{_bucket(bucket)}/objects/delete", {"keys": keys})
        deleted += len(keys)
    say(f"Deleted {deleted} objects")


@app.command("link")
@on_box
def link(
    command: Command,
    place: Annotated[str, typer.Argument(metavar="s3://BUCKET/KEY", help="The object.")],
    put: Annotated[bool, typer.Option("--put", help="A link that uploads to the key, instead of one to it.")] = False,
    expires: Annotated[str, typer.Option("--expires", help="How long it is good for, up to 7d: 15m, 12h …")] = "1h",
    content_type: Annotated[
        str | None, typer.Option("--content-type", help="What an upload must be sent as, or a download says it is.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Browsers save it instead of showing it.")] = False,
) -> None:
    """Make a presigned link: whoever has it needs no sign-in, for this one object, until it expires."""
    bucket, key = _split(place)
    if not key:
        fail(f"Name an object: {_SCHEME}{bucket}/key")
    body = {
        "key": key,
        "method": "PUT" if put else "GET",
        "expiresInSeconds": parse_seconds(expires),
        "contentType": content_type,
        "download": save,
    }
    client = command.admin
    made = client.post(f"{_bucket(bucket)}/links", body)
    if command.as_json:
        command.show(made)
        return
    typer.echo(made["url"])
    how = ""
    if put:
        header = f"-H 'content-type: {content_type}' " if content_type else ""
        how = f". Upload with: curl -T FILE {header}'URL'"
    say(f"Good until {made['expires']}{how}")


@key_app.command("create")
@on_box
def create_key(
    command: Command,
    label: Annotated[str, typer.Option("--label", help="What it is for.")] = "v8box s3 key create",
    buckets: Annotated[
        list[str] | None, typer.Option("--bucket", "-b", help="For this one; may be said again. Else for all of them.")
    ] = None,
    permissions: Annotated[
        list[str] | None, typer.Option("--permission", help="read, write or list; may be said again. Else all.")
    ] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="How long it is good for: 30d, 12h …")] = None,
) -> None:
    """Make an access key. Its secret is shown this once."""
    body: dict[str, Any] = {"label": label}
    if buckets:
        body["buckets"] = buckets
    if permissions:
        body["permissions"] = permissions
    if expires is not None:
        body["expires_in_seconds"] = parse_seconds(expires)
    client = command.admin
    made = client.post("s3/keys", body)
    shown = ("access key id", "id"), ("secret access key", "secret"), ("endpoint", "endpoint"), ("region", "region")
    command.show(made, ("", ""), [(title, made[name]) for title, name in shown])
    say("Keep the secret now: it is not shown again")


@key_app.command("list")
@on_box
def list_keys(
    command: Command,
) -> None:
    """List the access keys, without their secrets."""
    client = command.admin
    found = client.get("s3/keys")
    columns = ("id", "label", "buckets", "permissions", "expires", "used", "state")
    command.show(found, columns, [_key_row(each) for each in found])


@key_app.command("revoke")
@on_box
def revoke_key(
    command: Command,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `v8box s3 key list` shows it.")],
) -> None:
    """End an access key at once."""
    from v8box.cli.client import segment

    client = command.admin
    client.delete(f"s3/keys/{segment(key_id)}")
    say(f"The access key {key_id} opens nothing any more")


app.add_typer(key_app)


def _upload(client: BoxClient, source: str, target: str, content_type: str | None) -> None:
    bucket, key = _split(target)
    path = Path(source)
    if not key or key.endswith("/"):
        if source == "-":
            fail(f"What comes from standard input needs a key: {_SCHEME}{bucket}/{key}name")
        key += path.name
    kind = content_type or mimetypes.guess_type(key)[0]
    headers = {"content-type": kind} if kind else {}
    try:
        if source == "-":
            made = client.upload(f"{_bucket(bucket)}/objects/", key, _chunks(sys.stdin.buffer), headers)
        else:
            with path.open("rb") as file:
                headers["content-length"] = str(os.fstat(file.fileno()).st_size)
                made = client.upload(f"{_bucket(bucket)}/objects/", key, _chunks(file), headers)
    except OSError as error:
        fail(f"{source} cannot be read: {error.strerror}")
    say(f"Stored {_SCHEME}{bucket}/{key} ({size(made['sizeBytes'])})")


def _download(client: BoxClient, source: str, target: str) -> None:
    bucket, key = _split(source)
    if not key:
        fail(f"Name an object: {source.rstrip('/')}/key")
    with client.download(f"{_bucket(bucket)}/objects/", key) as chunks:
        if target == "-":
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            return
        path = Path(target)
        if path.is_dir():
            name = key.rstrip("/").rpartition("/")[2]
            if name in ("", ".", "..") or "\x00" in name:
                fail(f"{key} has no last part that could be a file's name: name the file")
            path /= name
        try:
            written = _write(path, chunks)
        except OSError as error:
            fail(f"{path} cannot be written: {error.strerror}")
    say(f"Wrote {path} ({size(written)})")


def _write(path: Path, chunks: Iterator[bytes]) -> int:
    """Whole or not at all: what broke off half-way must not look like the object."""
    descriptor, name = tempfile.mkstemp(prefix=".v8box-", dir=path.parent)
    written = 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                written += file.write(chunk)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return written


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _pages(client: BoxClient, bucket: str, prefix: str, delimiter: str | None) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page = client.get(f"{_bucket(bucket)}/objects", prefix=prefix, delimiter=delimiter, cursor=cursor, limit=_PAGE)
        yield page
        cursor = page["cursor"]
        if cursor is None:
            return


def _split(place: str) -> tuple[str, str]:
    """(bucket, key or prefix)."""
    bucket, _, key = place.removeprefix(_SCHEME).partition("/")
    return bucket, key


def _bucket(name: str) -> str:
    from v8box.cli.client import segment

    return f"s3/buckets/{segment(name)}"


def _key_row(key: Any) -> tuple[Any, ...]:
    state = "usable" if key["usable"] else "revoked" if key["revoked_at"] else "expired"
    return (
        key["id"],
        key["label"],
        "all" if key["buckets"] is None else ", ".join(key["buckets"]),
        ", ".join(key["permissions"]),
        key["expires_at"] or "never",
        key["last_used_at"] or "never",
        state,
    )
