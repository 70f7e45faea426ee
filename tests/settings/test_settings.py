from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from v8box import settings
from v8box.errors import SettingsError
from v8box.settings import groups


def load(directory: Path, text: str = "", environ: Mapping[str, str] | None = None) -> settings.Settings:
    (directory / settings.FILE_NAME).write_text(text, encoding="utf-8")
    return settings.load(directory, environ or {})


def faults(directory: Path, text: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(directory, text, environ)
    return caught.value.detail.split("\n")


def test_with_nothing_set_everything_has_a_default(tmp_path: Path) -> None:
    made = settings.load(tmp_path, {})
    assert made.data_directory == tmp_path / "data"
    assert (made.box.domain, made.box.host, made.box.port) == ("localhost", "127.0.0.1", 8000)
    assert made.requests.max_body_bytes == 2 * 1024**3
    assert 4 <= made.sandboxes.max_sandboxes <= 1024
    assert made.valkey.url is None
    assert made.s3.endpoint is None


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    text = '[box]\nport = 1\ndomain = "Example.COM."\n[sandboxes]\nidle_seconds = 5\nmax = 9\n'
    made = load(tmp_path, text, {"PORT": "2", "V8BOX_ALLOW_IPV6": "yes", "V8BOX_HOST": "0.0.0.0"})
    assert (made.box.port, made.box.domain, made.box.host) == (2, "example.com", "0.0.0.0")
    assert (made.sandboxes.idle_seconds, made.sandboxes.max_sandboxes) == (5.0, 9)
    assert made.sandboxes.allow_ipv6
    assert made.sandboxes.blanks == 2


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    made = load(tmp_path, "[box]\nport = 1\n", {"PORT": " ", "VALKEY_URL": "", "S3_ENDPOINT": ""})
    assert made.box.port == 1
    assert made.valkey.url is None


def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = '[box]\nport = "x"\nprot = 1\n\n[bx]\n[s3]\nregion = 5\n[requests]\nmax_url_kb = true\n'
    told = faults(tmp_path, text, {"DOMAIN": "https://a", "V8BOX_BLANKS": "many", "V8BOX_DATA_DIR": ".."})
    assert told == [
        "DOMAIN: must be a bare domain name such as example.com: no scheme, port or path, not 'https://a'",
        "v8box.toml:2: box.port must be a whole number from 0 to 65535, not 'x'",
        "v8box.toml:9: requests.max_url_kb must be a whole number from 1 to 1024, not True",
        "V8BOX_BLANKS: must be a whole number from 0 to 64, not 'many'",
        "v8box.toml:7: s3.region must be a text that is not empty, not 5",
        "V8BOX_DATA_DIR: must be a folder of its own, not the served folder or one that holds it",
        "v8box.toml:3: box.prot is not known; did you mean port?",
        "v8box.toml:5: [bx] is not known; did you mean box?",
    ]


def test_a_value_that_the_environment_overrides_is_not_judged(tmp_path: Path) -> None:
    assert load(tmp_path, "[box]\nport = 99999\n", {"PORT": "5"}).box.port == 5


def test_workers_are_left_to_the_catalog(tmp_path: Path) -> None:
    load(tmp_path, "[workers.hello]\nanything = 1\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[box\n", "v8box.toml:1:"),
        ("box = 5\n", "v8box.toml:1: box must be a table: [box]"),
        ("a = '\n", "v8box.toml:1:"),
    ],
)
def test_a_file_that_is_not_as_it_should_be(tmp_path: Path, text: str, told: str) -> None:
    assert faults(tmp_path, text)[0].startswith(told)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / settings.FILE_NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        settings.load(tmp_path, {})


SECRETS = {
    "ADMIN_PASSWORD": "hunter2hunter2",
    "LIBSQL_URL": "libsql://db.example.com:8080?authToken=hunter2",
    "LIBSQL_AUTH_TOKEN": "hunter2-token",
    "VALKEY_URL": "redis://user:hunter2@cache.example.com:6379/1",
    "S3_ENDPOINT": "https://[2001:db8::1]:9000?hunter2",
    "S3_ACCESS_KEY": "hunter2-access",
    "S3_SECRET_KEY": "hunter2-secret",
    "CLOUDFLARE_TOKEN": "hunter2-cloud",
    "SENTRY_DSN": "https://hunter2@sentry.example.com/1",
}


def test_secrets_are_carried_and_never_shown(tmp_path: Path) -> None:
    made = load(tmp_path, "", SECRETS)
    assert made.box.admin_password is not None
    assert made.valkey.url is not None
    assert made.box.admin_password.reveal() == "hunter2hunter2"
    assert made.valkey.url.reveal() == SECRETS["VALKEY_URL"]
    assert str(made.valkey.url) == "redis://cache.example.com:6379"
    assert str(made.s3.endpoint) == "https://[2001:db8::1]:9000"
    assert str(settings.ServerUrl("unix:///run/valkey.sock")) == "unix:///run/valkey.sock"
    for shown in (repr(made), str(made), f"{made.box.admin_password}", f"{made.libsql.url!r}"):
        assert "hunter2" not in shown


def test_what_is_set_and_does_nothing_is_named(tmp_path: Path) -> None:
    assert settings.ignored(load(tmp_path)) == ()
    told = settings.ignored(load(tmp_path, "", SECRETS))
    assert told == ("CLOUDFLARE_TOKEN is set, but this version makes no DNS records and no certificates",)
    assert "hunter2" not in "".join(told)


@pytest.mark.parametrize("dsn", ["hunter2", "https://sentry.example.com/1", "ftp://hunter2@sentry.example.com/1"])
def test_a_dsn_that_is_none_is_refused_without_its_key(tmp_path: Path, dsn: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, "", {"SENTRY_DSN": dsn})
    assert "SENTRY_DSN: must be a DSN" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("variable", ["LIBSQL_URL", "V8BOX_LIBSQL_ADMIN_URL", "S3_ENDPOINT"])
def test_only_the_cache_has_its_login_in_the_address(tmp_path: Path, variable: str) -> None:
    told = faults(tmp_path, "", {**SECRETS, variable: "http://user:hunter2@db.example.com"})
    assert told == [f"{variable}: must not hold a user or a password: they have settings of their own"]


@pytest.mark.parametrize("variable", sorted(SECRETS))
def test_a_fault_never_repeats_a_secret(tmp_path: Path, variable: str) -> None:
    wrong = "hunt\x01" if variable == "ADMIN_PASSWORD" else "hunter2\x01hunter2"
    told = faults(tmp_path, "", {variable: wrong})
    assert told[0].startswith(f"{variable}: ")
    assert "hunt" not in "".join(told)
    table, name = next(key.split(".") for v, key, _ in settings.variables() if v == variable)
    told = faults(tmp_path, f"[{table}]\n{name} = 5\n")
    assert told[0].startswith("v8box.toml:2: ")


@pytest.mark.parametrize(
    "url", ["valkey", "http://x", "redis://", "redis://h:port", "redis://h:99999", "redis://[::1", "unix://"]
)
def test_what_is_no_address_of_a_valkey(tmp_path: Path, url: str) -> None:
    assert faults(tmp_path, "", {"VALKEY_URL": url})[0].startswith("VALKEY_URL: must be an address that begins with")


def test_s3_wants_both_keys_and_the_endpoint(tmp_path: Path) -> None:
    told = faults(tmp_path, "", {"S3_ENDPOINT": "http://s3:9000", "S3_ACCESS_KEY": "a"})
    assert told == ["S3_SECRET_KEY: is missing, and S3_ENDPOINT needs it"]
    told = faults(tmp_path, '[s3]\naccess_key = "a"\nsecret_key = "b"\n')
    assert told == ["S3_ENDPOINT: is missing, but S3 keys are set"]


def test_whose_certificates_are_looked_at(tmp_path: Path) -> None:
    def read(text: str) -> tuple[str, ...] | None:
        return load(tmp_path, "", {"V8BOX_CERTIFICATES": text}).health.certificates

    assert read("shop.example.com, mail.example.com:465,/etc/ssl/box.pem") == (
        "shop.example.com",
        "mail.example.com:465",
        "/etc/ssl/box.pem",
    )
    assert read("none") == ()
    assert read("") is None
    for wrong in ("https://x", "a b", "x:0", "x:99999", "relative.pem/x", "-a", "x:"):
        assert faults(tmp_path, "", {"V8BOX_CERTIFICATES": wrong})[0].startswith("V8BOX_CERTIFICATES: must be a list")


def test_a_mail_server_and_whom_mails_are_from(tmp_path: Path) -> None:
    made = load(
        tmp_path, "", {"V8BOX_SMTP_URL": "smtp://box:p%40ss@mail.example.com", "V8BOX_SMTP_FROM": "a@b.example"}
    )
    assert made.notifications.smtp_url is not None
    assert "p%40ss" not in repr(made.notifications)
    assert made.notifications.smtp_from == "a@b.example"
    for wrong in ("mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:port"):
        assert faults(tmp_path, "", {"V8BOX_SMTP_URL": wrong})[0].startswith("V8BOX_SMTP_URL: must be an address")
    for wrong in ("Box <a@b.example>", "a@b.example\nBcc: x@y.example", "a@b.example,c@d.example", "box"):
        assert faults(tmp_path, "", {"V8BOX_SMTP_FROM": wrong})[0].startswith("V8BOX_SMTP_FROM: must ")


@pytest.mark.parametrize(
    "domain", ["a b", "-a.com", "a..b", "x:80", "http://x", "1.2.3.4", "a" * 64 + ".com", "exämple.com", "a/b"]
)
def test_what_is_no_domain(tmp_path: Path, domain: str) -> None:
    assert faults(tmp_path, "", {"DOMAIN": domain})[0].startswith("DOMAIN: ")


def test_proxies_come_as_a_list_or_with_commas(tmp_path: Path) -> None:
    wanted = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))
    assert load(tmp_path, '[box]\ntrusted_proxies = ["10.0.0.0/8", "::1"]').box.trusted_proxies == wanted
    assert load(tmp_path, "", {"V8BOX_TRUSTED_PROXIES": "10.0.0.0/8, ::1,"}).box.trusted_proxies == wanted
    assert faults(tmp_path, "", {"V8BOX_TRUSTED_PROXIES": "10.0.0.1/8"})[0].startswith("V8BOX_TRUSTED_PROXIES: ")


@pytest.mark.parametrize(
    ("given", "wanted"), [("state", "state"), ("/var/lib/box", "/var/lib/box"), ("../other", "../other")]
)
def test_the_data_directory_is_relative_to_the_served_one(tmp_path: Path, given: str, wanted: str) -> None:
    made = load(tmp_path, "", {"V8BOX_DATA_DIR": given})
    assert made.data_directory == (tmp_path / wanted).resolve()


def test_every_setting_has_a_docstring_with_its_reason() -> None:
    source = Path(groups.__file__).read_text(encoding="utf-8")
    for variable, key, _ in settings.variables():
        after = re.split(rf'"{variable}",\s+"{re.escape(key)}"', source, maxsplit=1)[1]
        docstring = after.split('"""', 2)[1]
        assert len(docstring.split()) >= 4, variable
        assert after.index('"""') < 200, variable


def test_names_are_used_once() -> None:
    listed = settings.variables()
    assert len({variable for variable, _, _ in listed}) == len({key for _, key, _ in listed}) == len(listed)


def test_vault_needs_one_token_and_a_path_that_is_one(tmp_path: Path) -> None:
    made = load(tmp_path, environ={"VAULT_ADDR": "https://vault:8200/", "VAULT_TOKEN": "hvs.x"})
    assert made.vault.mount == "secret"
    assert "hvs.x" not in repr(made)
    token = {"VAULT_ADDR": "https://vault:8200", "VAULT_TOKEN": "hvs.x"}
    (told,) = faults(tmp_path, environ={"VAULT_ADDR": "https://vault:8200"})
    assert told.startswith("VAULT_TOKEN: is missing, and VAULT_ADDR needs it")
    (told,) = faults(tmp_path, environ={**token, "V8BOX_VAULT_TOKEN_FILE": "/run/token"})
    assert "both set" in told
    (told,) = faults(tmp_path, environ={**token, "VAULT_TOKEN": "hvs.\u00e9"})
    assert "hvs" not in told
    for bad in ("a/{secret}", "a/../b", "{worker", "{worker.id}", "a//b", "{0}", "a b"):
        (told,) = faults(tmp_path, environ={**token, "V8BOX_VAULT_PATH": bad})
        assert "must be a path" in told
    made = load(
        tmp_path, environ={**token, "V8BOX_VAULT_PATH": "/apps/{worker}-{environment}/", "V8BOX_VAULT_MOUNT": "kv/a"}
    )
    assert (made.vault.path, made.vault.mount) == ("apps/{worker}-{environment}", "kv/a")


def test_a_master_key_has_32_bytes_and_is_never_shown(tmp_path: Path) -> None:
    key = "A" * 43 + "="
    made = load(tmp_path, environ={"V8BOX_MASTER_KEY": key})
    assert made.box.master_key is not None
    assert made.box.master_key.reveal() == key
    assert key not in repr(made)
    for variable in ("V8BOX_MASTER_KEY", "V8BOX_MASTER_KEY_PREVIOUS"):
        (told,) = faults(tmp_path, environ={variable: "hunter2"})
        assert told.startswith(f"{variable}: must be 32 random bytes")
        assert "hunter2" not in told


def test_a_cdn_needs_its_kind_a_token_and_a_zone(tmp_path: Path) -> None:
    assert load(tmp_path).cdn.kind is None
    made = load(tmp_path, '[cdn]\nkind = "bunny"\nzone = 42\n', {"V8BOX_CDN_TOKEN": "s3cret"})
    assert (made.cdn.kind, made.cdn.zone) == ("bunny", "42")
    assert "s3cret" not in repr(made)
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, "", {"V8BOX_CDN": "fastly", "V8BOX_CDN_ZONE": "../x", "V8BOX_CDN_TOKEN": "s3cret\n2"})
    assert "cloudflare or bunny" in refused.value.detail
    assert "letters and digits" in refused.value.detail
    assert "s3cret" not in refused.value.detail
    with pytest.raises(SettingsError, match="V8BOX_CDN_TOKEN"):
        load(tmp_path, "", {"V8BOX_CDN": "cloudflare", "V8BOX_CDN_ZONE": "abc"})
