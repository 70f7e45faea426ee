"""DSNs: what is one, what it stands for, and that its key shows nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.kit.sentry_dsn import BadDsn, parse_dsn


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://k3y@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/"),
        ("  http://k3y@localhost:9000/1\n", "http://localhost:9000/api/1/envelope/"),
        ("https://k3y:s3cret@sentry.example.com/some/path/7", "https://sentry.example.com/some/path/api/7/envelope/"),
        ("https://k3y@[2001:db8::1]:8443/7", "https://[2001:db8::1]:8443/api/7/envelope/"),
        ("https://k3y@glitchtip.example.com/7", "https://glitchtip.example.com/api/7/envelope/"),
    ],
)
def test_where_it_leads(text: str, url: str) -> None:
    dsn = parse_dsn(text)
    assert dsn.envelope_url == url
    assert dsn.key == "k3y"
    for shown in (repr(dsn), str(dsn), dsn.shown):
        assert "k3y" not in shown
        assert "s3cret" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k3y",
        "https://example.com/1",
        "https://@example.com/1",
        "https://k3y@example.com",
        "https://k3y@example.com/",
        "https://k3y@/1",
        "ftp://k3y@example.com/1",
        "file:///etc/passwd",
        "https://k3y@example.com/1?x=1",
        "https://k3y@example.com/1#x",
        "https://k3y@example.com/../1",
        "https://k3y@example.com/a b/1",
        "https://k3y@example.com:port/1",
        "https://k3y@example.com:99999/1",
        "https://k3y@exa mple.com/1",
        "https://k3y@example.com\r\nx: y/1",
        "https://k%0d@example.com/1",
        "https://k3y@[::1/1",
        "https://k3y@example.com/" + "1" * 2_000,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadDsn) as refused:
        parse_dsn(text)
    assert "k3y" not in str(refused.value)


@given(st.text())
def test_any_text_is_one_or_is_refused(text: str) -> None:
    for each in (text, f"https://{text}@host/1", f"https://key@{text}/1", f"https://key@host/{text}"):
        try:
            dsn = parse_dsn(each)
        except BadDsn:
            continue
        assert "\n" not in dsn.envelope_url
        assert dsn.envelope_url.endswith("/envelope/")
