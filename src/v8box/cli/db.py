"""`v8box db`: databases, queries and tokens of the running box. Migrations are in `migrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from v8box.cli.console import (
    DEFAULT_PROJECT,
    Database,
    Dir,
    Json,
    Project,
    Token,
    Url,
    Yes,
    ask_name,
    box,
    parse_seconds,
    say,
    show,
    size,
)
from v8box.cli.dump import add_dump_commands
from v8box.cli.migrate import add_migration_commands

app = typer.Typer(name="db", help="Databases, queries, tokens and migrations of the running box.", no_args_is_help=True)
token_app = typer.Typer(name="token", help="Tokens that open databases to LibSQL clients.", no_args_is_help=True)

_HERE = Path()


@app.command("list")
def list_databases(
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """List the databases."""
    with box(url, directory, token, project) as client:
        found = client.get("database/databases")
        rows = [(each["name"], size(each["sizeBytes"]), "default" if each["default"] else "") for each in found]
        show(found, as_json=as_json, columns=("name", "size", ""), rows=rows)


@app.command("create")
def create_database(
    name: Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9, - and _.")],
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """Make a database."""
    with box(url, directory, token, project) as client:
        made = client.post("database/databases", {"name": name})
        show(made, as_json=as_json, columns=("name",), rows=[(made["name"],)])
        say(
            f'In a worker, grant it in the manifest and say db.use("{name}"); here: v8box db query -d {name} "select 1"'
        )


@app.command("delete")
def delete_database(
    name: Annotated[str, typer.Argument(help="The database. The default one is emptied.")],
    yes: Yes = False,
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """Delete a database with all that is in it."""
    with box(url, directory, token, project) as client:
        ask_name("database", name, yes=yes)
        deleted = client.delete(f"database/databases/{_segment(name)}")
        show(deleted, as_json=as_json, columns=("deleted",), rows=[(deleted["deleted"],)])


@app.command("query")
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement; parameters are written ?.")],
    args: Annotated[list[str] | None, typer.Argument(help="The parameters: JSON, or else text.")] = None,
    database: Database = "global",
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """Run one SQL statement."""
    with box(url, directory, token, project) as client:
        body = {"query": sql, "args": [_value(each) for each in args or ()]}
        answer = client.post(f"database/query/{_segment(database)}", body)
        rows = [[_cell(row[column]) for column in answer["columns"]] for row in answer["rows"]]
        if as_json or answer["columns"]:
            show(answer, as_json=as_json, columns=answer["columns"], rows=rows)
        count = len(rows) if answer["columns"] else answer["rowsAffected"]
        say(f"{count} row{'' if count == 1 else 's'}{'' if answer['columns'] else ' changed'}")


@app.command("tables")
def tables(
    database: Database = "global",
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """List tables and views with their columns, and how many rows there are."""
    with box(url, directory, token, project) as client:
        found = client.get(f"database/databases/{_segment(database)}/schema")
        rows = [
            (each["name"], each["type"], _rows(each), ", ".join(column["name"] for column in each["columns"]))
            for each in [*found["tables"], *found["views"]]
        ]
        show(found, as_json=as_json, columns=("name", "kind", "rows", "columns"), rows=rows)


@token_app.command("create")
def create_token(
    databases: Annotated[
        list[str] | None, typer.Option("--database", "-d", help="Opens this one; may be said again. Else all of them.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse every statement that writes.")] = False,
    label: Annotated[str, typer.Option("--label", help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option("--expires", help="How long it is good for: 30d, 12h …")] = None,
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """Make a token. It is shown this once."""
    body: dict[str, Any] = {"label": label, "access": "read" if read_only else "write"}
    if databases:
        body["databases"] = ["default" if name == "global" else name for name in databases]
    if expires is not None:
        body["expires_in_seconds"] = parse_seconds(expires)
    with box(url, directory, token, project) as client:
        made = client.post("database/tokens", body)
        rows = [("token", made["token"]), ("id", made["id"])] + [(name, place) for name, place in made["urls"].items()]
        show(made, as_json=as_json, columns=("", ""), rows=rows)
        say("Keep the token now: only a hash is stored. @libsql/client takes it as authToken, with one of the URLs")


@token_app.command("list")
def list_tokens(
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """List the tokens, without their texts."""
    with box(url, directory, token, project) as client:
        found = client.get("database/tokens")
        rows = [
            (
                each["id"],
                each["label"],
                each["access"],
                "all" if each["databases"] is None else ", ".join(each["databases"]),
                "expired" if each["expired"] else each["expires_at"] or "never",
                each["last_used_at"] or "never",
            )
            for each in found
        ]
        show(found, as_json=as_json, columns=("id", "label", "access", "databases", "expires", "used"), rows=rows)


@token_app.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `v8box db token list` shows it.")],
    url: Url = None,
    project: Project = DEFAULT_PROJECT,
    token: Token = None,
    directory: Dir = _HERE,
) -> None:
    """End a token: what clients have open with it is rolled back."""
    with box(url, directory, token, project) as client:
        client.delete(f"database/tokens/{_segment(token_id)}")
        say(f"The token {token_id} opens nothing any more")


add_migration_commands(app)
add_dump_commands(app)
app.add_typer(token_app)


def _segment(name: str) -> str:
    from v8box.cli.client import segment

    return segment(name)


def _value(text: str) -> Any:
    """A parameter as JSON has it; what is no JSON is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _cell(value: Any) -> Any:
    return f"blob: {value['base64']}" if isinstance(value, dict) else value


def _rows(table: Any) -> str:
    if table["error"]:
        return str(table["error"])
    if table["rowCount"] is None:
        return ""
    return f"{table['rowCount']}" + ("" if table["rowCountIsExact"] else " or more")
