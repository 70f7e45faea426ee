"""What a command signs in with, and that no token goes where it does not belong."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import httpx
import pytest
from tests.fakes.certificates import self_signed

from v8box.cli.client import find_box, http_client
from v8box.cli.credentials import CredentialsUnusable, credentials_file, find_token

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def keep(environ: dict[str, str], text: str, mode: int = 0o600) -> Path:
    file = credentials_file(environ)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def serve(folder: Path, address: str = HERE, settings: str = "") -> Path:
    (folder / "data" / "keys").mkdir(parents=True)
    (folder / "data" / "address").write_text(f"{address}\n")
    (folder / "data" / "keys" / "local.token").write_text("v8b_local_x\n")
    (folder / "v8box.toml").write_text(settings)
    return folder


def test_what_is_said_wins_over_what_is_kept_and_that_over_the_local_operator(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    data = serve(tmp_path) / "data"
    assert find_token(None, HERE, data, environ) == "v8b_local_x"
    keep(environ, json.dumps({HERE: {"token": "v8b_pat_kept"}}))
    assert find_token(None, HERE, data, environ) == "v8b_pat_kept"
    assert find_token("v8b_pat_said", HERE, data, environ) == "v8b_pat_said"
    assert find_token(None, "http://elsewhere:8000", None, environ) is None


def test_the_local_token_goes_to_its_own_box_only(tmp_path: Path, environ: dict[str, str]) -> None:
    serve(tmp_path)
    assert find_box(None, tmp_path, environ=environ).token == "v8b_local_x"
    assert find_box(HERE, tmp_path, environ=environ).token == "v8b_local_x"
    assert find_box("http://127.0.0.1:8001", tmp_path, environ=environ).token is None
    assert find_box("https://evil.example", tmp_path, environ=environ).token is None
    assert "v8b_local_x" not in repr(find_box(None, tmp_path, environ=environ))


def test_with_a_domain_the_box_is_asked_by_the_name_that_it_answers_to(tmp_path: Path, environ: dict[str, str]) -> None:
    serve(tmp_path, settings='[box]\ndomain = "example.com"\n')
    assert find_box(None, tmp_path, environ=environ).host == "admin.example.com"
    assert find_box("https://admin.example.org", tmp_path, environ=environ).host is None


def test_a_folder_with_broken_settings_does_not_matter_for_another_address(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    serve(tmp_path, settings="[nonsense")
    assert find_box("https://admin.example.org", tmp_path, "t", environ=environ).token == "t"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"http://127.0.0.1:8000": "x"}', '{"http://127.0.0.1:8000": {"token": 1}}']
)
def test_a_file_that_holds_something_else_gives_no_token(environ: dict[str, str], text: str) -> None:
    keep(environ, text)
    if text == "{":
        with pytest.raises(CredentialsUnusable, match="sign in again"):
            find_token(None, HERE, None, environ)
    else:
        assert find_token(None, HERE, None, environ) is None


def test_a_file_that_others_can_read_is_not_used(environ: dict[str, str]) -> None:
    keep(environ, json.dumps({HERE: {"token": "v8b_pat_kept"}}), 0o644)
    with pytest.raises(CredentialsUnusable, match="chmod 600"):
        find_token(None, HERE, None, environ)


async def test_who_answers_over_tls_has_to_prove_who_it_is(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pem = self_signed(tmp_path)
    context.load_cert_chain(pem.certificate, pem.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        address = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        with http_client(address) as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await asyncio.to_thread(http.get, address)
