"""`v8box explain`: what would answer a URL, and under which rules, without calling anything."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.exits import Exit

app = typer.Typer()


@app.command("explain")
@on_box
def explain(
    command: Command,
    address: Annotated[str, typer.Argument(metavar="URL", help="With the host, or a path on the box: /run/hello")],
    method: Annotated[str, typer.Option("--method", "-X", help="As this method.")] = "GET",
) -> None:
    """Follow a URL: host, route, worker, version, and every policy that is asked, in order. Ends with 3 for nowhere."""
    url = f"{command.place.address}{address}" if address.startswith("/") else address
    found = command.api.get("explain", url=url, method=method.upper())
    if command.as_json:
        command.show(found)
    else:
        _show(command, found)
    if found["leads_to"] is None:
        raise typer.Exit(int(Exit.NOT_FOUND))


def _of_site(answer: Any) -> dict[str, Any]:
    if not answer:
        return {}
    rule = answer["rule"]
    return {
        "preview": answer["preview"],
        "password": "asked for" if answer["password"] else "",
        "answer": f"{answer['kind']} {answer['status'] or ''} {answer['place']}",
        "rule": rule and f"line {rule['line']}: {rule['from']} {rule['to']} {rule['status']}",
        "headers": ", ".join(f"{name}: {value}" for name, value in sorted(answer["headers"].items())),
    }


def _show(command: Command, found: Any) -> None:
    fields = {
        "url": f"{found['method']} {found['url']}",
        "host": found["host"],
        "path": found["path"],
        "leads to": found["leads_to"] or "nothing",
        "why": found["reason"],
        "project": found["project"],
        "worker": found["worker"],
        "environment": found["environment"],
        "site": found["site"],
        "it sees the path": found["seen_path"],
        "sticky": found["sticky"],
        **_of_site(found.get("answer")),
    }
    command.show_fields(found, fields)
    for version in found["versions"]:
        net = version["net"] if isinstance(version["net"], str) else ", ".join(version["net"])
        typer.echo(f"\nv{version['number']} ({version['version'][:8]}), {version['weight']}% of the requests")
        rows = [
            (number, each["policy"], "asked" if each["on"] else "off", each["detail"] or "")
            for number, each in enumerate(version["policies"], 1)
        ]
        command.show(None, ("", "policy", "", "detail"), rows)
        limits = ", ".join(f"{name} {value}" for name, value in version["limits"].items())
        typer.echo(f"limits: {limits}\nnet: {net}")
