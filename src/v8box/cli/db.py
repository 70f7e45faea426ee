"""`v8box db`: databases, queries and tokens of the running box. Migrations are in `migrate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Database, Yes, ask_name, parse_seconds, say, size
from v8box.cli.dump import add_dump_commands
from v8box.cli.migrate import add_migration_commands
from v8box.cli.saved_queries import app as saved_app
from v8box.cli.saved_queries import run_query

app = typer.Typer(name="db", help="Databases, queries, tokens and migrations of the running box.", no_args_is_help=True)
token_app = typer.Typer(name="token", help="Tokens that open databases to LibSQL clients.", no_args_is_help=True)


@app.command("list")
@on_box
def list_databases(
    command: Command,
) -> None:
    """List the databases."""
    client = command.admin
    found = client.get("database/databases")
    rows = [(each["name"], size(each["sizeBytes"]), "default" if each["default"] else "") for each in found]
    command.show(found, ("name", "size", ""), rows)


@app.command("create")
@on_box
def create_database(
    command: Command,
    name: Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9, - and _.")],
) -> None:
    """Make a database."""
    client = command.admin
    made = client.post("database/databases", {"name": name})
    command.show(made, ("name",), [(made["name"],)])
    say(f'In a worker, grant it in the manifest and say db.use("{name}"); here: v8box db query -d {name} "select 1"')


@app.command("delete")
@on_box
def delete_database(
    command: Command,
    name: Annotated[str, typer.Argument(help="The database. The default one is emptied.")],
    yes: Yes = False,
) -> None:
    """Delete a database with all that is in it."""
    client = command.admin
    ask_name("database", name, yes=yes)
    deleted = client.delete(f"database/databases/{_segment(name)}")
    command.show(deleted, ("deleted",), [(deleted["deleted"],)])


@app.command("query")
@on_box
def query(
    command: Command,
    sql: Annotated[str, typer.Argument(help="One SQL statement; parameters are written ?.")],
    args: Annotated[list[str] | None, typer.Argument(help="The parameters: JSON, or else text.")] = None,
    database: Database = "global",
) -> None:
    """Run one SQL statement."""
    run_query(command, database, sql, args or ())


@app.command("tables")
@on_box
def tables(
    command: Command,
    database: Database = "global",
) -> None:
    """List tables and views with their columns, and how many rows there are."""
    client = command.admin
    found = client.get(f"database/databases/{_segment(database)}/schema")
    rows = [
        (each["name"], each["type"], _rows(each), ", ".join(column["name"] for column in each["columns"]))
        for each in [*found["tables"], *found["views"]]
    ]
    command.show(found, ("name", "kind", "rows", "columns"), rows)


@token_app.command("create")
@on_box
def create_token(
    command: Command,
    databases: Annotated[
        list[str] | None, typer.Option("--database", "-d", help="Opens this one; may be said again. Else all of them.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse every statement that writes.")] = False,
    label: Annotated[str, typer.Option("--label", help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option("--expires", help="How long it is good for: 30d, 12h …")] = None,
) -> None:
    """Make a token. It is shown this once."""
    body: dict[str, Any] = {"label": label, "access": "read" if read_only else "write"}
    if databases:
        body["databases"] = ["default" if name == "global" else name for name in databases]
    if expires is not None:
        body["expires_in_seconds"] = parse_seconds(expires)
    client = command.admin
    made = client.post("database/tokens", body)
    rows = [("token", made["token"]), ("id", made["id"])] + [(name, place) for name, place in made["urls"].items()]
    command.show(made, ("", ""), rows)
    say("Keep the token now: only a hash is stored. @libsql/client takes it as authToken, with one of the URLs")


@token_app.command("list")
@on_box
def list_tokens(
    command: Command,
) -> None:
    """List the tokens, without their texts."""
    client = command.admin
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
    command.show(found, ("id", "label", "access", "databases", "expires", "used"), rows)


@token_app.command("revoke")
@on_box
def revoke_token(
    command: Command,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `v8box db token list` shows it.")],
) -> None:
    """End a token: what clients have open with it is rolled back."""
    client = command.admin
    client.delete(f"database/tokens/{_segment(token_id)}")
    say(f"The token {token_id} opens nothing any more")


add_migration_commands(app)
add_dump_commands(app)
app.add_typer(token_app)
app.add_typer(saved_app)


def _segment(name: str) -> str:
    from v8box.cli.client import segment

    return segment(name)


def _rows(table: Any) -> str:
    if table["error"]:
        return str(table["error"])
    if table["rowCount"] is None:
        return ""
    return f"{table['rowCount']}" + ("" if table["rowCountIsExact"] else " or more")
