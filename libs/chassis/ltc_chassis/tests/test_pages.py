"""What is open to everybody: secrets, signed links, pages, and how often one may ask."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid

from ltc_chassis import links, pages, secrets
from ltc_chassis.api import Now, Tx, runtime_of
from ltc_chassis.app import Service, build
from ltc_chassis.clock import FixedClock
from ltc_chassis.errors import TooManyRequests
from ltc_chassis.ids import new_id
from ltc_chassis.links import LinkExpired, LinkInvalid
from ltc_chassis.secrets import SecretMissing
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.tests.echo.app import Noted, take_note

KEY, OTHER = b"k" * 64, b"o" * 64
open_routes = pages.public_router(prefix="", tags=["open"], why="The link in the path is the permission.")


@open_routes.get("/p/{token}")
async def show(token: str, request: Request, now: Now) -> HTMLResponse:
    link = links.verify(links.keys(runtime_of(request).settings), token, purpose="show", now=now)
    return pages.page(request, "ltc_chassis", "refusal.html", title=link.claims["title"], reason=link.subject)


@open_routes.post("/p/{token}", dependencies=[Depends(pages.Throttle(3, per_s=3600))])
async def note(token: str, text: Annotated[str, Form(max_length=100)], tx: Tx) -> dict[str, str]:
    link = links.verify(links.keys(tx.settings), token, purpose="note", now=tx.now)
    note_id = await take_note(tx, text, new_id(), Noted)
    if text == "twice":
        raise Invalid("said twice")
    return {"id": str(note_id), "for": link.subject}


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    def made() -> FastAPI:
        return build(Service(name="echo", package="ltc_chassis.tests.echo", settings=ChassisSettings(), routers=[open_routes]))

    return made


@pytest.fixture
def token(app: FastAPI, clock: FixedClock) -> Callable[..., str]:
    def made(purpose: str, subject: str = "s", **claims: str) -> str:
        keys = links.keys(app.state.runtime.settings)
        return links.sign(keys, purpose=purpose, subject=subject, expires_at=clock.now() + timedelta(days=1), claims=claims)

    return made


def settings(folder: Path | None) -> ChassisSettings:
    return ChassisSettings(postgres_dsn="x", auth_public_key=Path("x"), secrets_dir=folder)


def test_a_secret_is_a_file_and_a_new_file_is_seen_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(tmp_path)
    (tmp_path / "hook").write_text(" first\n")
    assert secrets.text(given, "hook") == "first"
    (tmp_path / "hook").write_text("second")
    assert secrets.text(given, "hook") == "first"
    monkeypatch.setattr(secrets, "_FRESH_S", 0.0)
    assert secrets.get(given, "hook") == b"second"
    (tmp_path / "hook").unlink()
    with pytest.raises(SecretMissing, match="no secret 'hook'"):
        secrets.get(given, "hook")


def test_a_missing_an_empty_a_huge_and_an_unreadable_secret_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "huge").write_bytes(b"x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    for name in ("none", "empty", "huge", "folder"):
        with pytest.raises(SecretMissing, match=name):
            secrets.get(settings(tmp_path), name)
    with pytest.raises(SecretMissing, match="UTF-8"):
        secrets.text(settings(tmp_path), "binary")
    with pytest.raises(SecretMissing):
        secrets.get(settings(None), "any")


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "a/b", "..", "", "A", "x" * 64, "a\n", "link-key.previous"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid):
        secrets.get(settings(tmp_path), name)


def test_a_link_is_for_one_purpose_one_subject_and_a_time(clock: FixedClock) -> None:
    ends = clock.now() + timedelta(hours=1)
    token = links.sign(KEY, purpose="accept", subject="q1", expires_at=ends, claims={"n": 2})
    found = links.verify(KEY, token, purpose="accept", now=clock.now())
    assert (found.subject, found.claims, found.expires_at) == ("q1", {"n": 2}, ends)
    with pytest.raises(LinkInvalid):
        links.verify(KEY, token, purpose="reject", now=clock.now())
    with pytest.raises(LinkInvalid):
        links.verify(OTHER, token, purpose="accept", now=clock.now())
    links.verify(KEY, token, purpose="accept", now=ends - timedelta(seconds=1))
    with pytest.raises(LinkExpired):
        links.verify(KEY, token, purpose="accept", now=ends)
    with pytest.raises(ValueError, match="at most"):
        links.sign(KEY, purpose="accept", subject="q1", expires_at=ends, claims={"long": "x" * 2000})
    with pytest.raises(SecretMissing, match="at least 32 bytes"):
        links.sign(b"short", purpose="accept", subject="q1", expires_at=ends)


def test_the_key_before_is_accepted_but_no_longer_signs(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "link-key").write_bytes(OTHER)
    (tmp_path / "link-key.previous").write_bytes(KEY)
    ends = clock.now() + timedelta(days=1)
    old = links.sign(KEY, purpose="p", subject="s", expires_at=ends)
    both = links.keys(settings(tmp_path))
    assert links.verify(both, old, purpose="p", now=clock.now()).subject == "s"
    new = links.sign(both, purpose="p", subject="s", expires_at=ends)
    assert links.verify(OTHER, new, purpose="p", now=clock.now()).subject == "s"


@given(st.text(max_size=300), st.integers(0, 400), st.characters(codec="ascii"))
def test_no_text_and_no_changed_token_passes_for_a_link(text: str, place: int, letter: str) -> None:
    now = FixedClock().now()
    token = links.sign(KEY, purpose="p", subject="s", expires_at=now + timedelta(days=1))
    place %= len(token) - 1  # the last letter of a signature holds bits that mean nothing
    changed = token[:place] + letter + token[place + 1 :]
    for each in (text, changed, token + ".", "." + token):
        if each != token:
            with pytest.raises(LinkInvalid):
                links.verify(KEY, each, purpose="p", now=now)


def test_a_link_needs_an_address_of_the_service() -> None:
    given = ChassisSettings(postgres_dsn="x", auth_public_key=Path("x"), public_url="https://x.example/base/")
    assert links.address(given, "/q/1") == "https://x.example/base/q/1"
    with pytest.raises(links.PublicAddressMissing):
        links.address(settings(None), "/q/1")
    for wrong in ("ftp://x.example", "https://x.example/?a", "x.example", "https://a b"):
        with pytest.raises(ValueError):
            ChassisSettings(postgres_dsn="x", auth_public_key=Path("x"), public_url=wrong)


async def test_a_page_escapes_allows_nothing_from_elsewhere_and_is_not_kept(
    anonymous: httpx.AsyncClient, token: Callable[..., str]
) -> None:
    reply = await anonymous.get(f"/p/{token('show', title='<script>alert(1)</script>')}")
    assert (reply.status_code, "<script>alert" in reply.text, "&lt;script&gt;alert" in reply.text) == (200, False, True)
    policy = reply.headers["content-security-policy"]
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert f'<style nonce="{nonce}">' in reply.text
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-frame-options"] == "DENY"
    assert (reply.headers["cache-control"], reply.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert reply.headers["referrer-policy"] == "same-origin"
    again = await anonymous.get(f"/p/{token('show', title='x')}")
    assert nonce not in again.headers["content-security-policy"]


async def test_a_page_may_stand_in_frames_of_named_origins_only(app: FastAPI) -> None:
    request = Request({"type": "http", "headers": [], "app": app, "method": "GET", "path": "/"})
    made = pages.page(
        request,
        "ltc_chassis",
        "refusal.html",
        title="t",
        reason="r",
        frame_ancestors=["https://www.example.com", "https://*.x.y"],
    )
    assert "frame-ancestors https://www.example.com https://*.x.y" in made.headers["content-security-policy"]
    assert "x-frame-options" not in made.headers
    for wrong in ("https://a.example; script-src *", "*", "https://a.example/path", "'self' x", "https://a\n"):
        with pytest.raises(ValueError, match="origins"):
            pages.page(request, "ltc_chassis", "refusal.html", title="t", reason="r", frame_ancestors=[wrong])


async def test_a_browser_is_refused_with_a_page_in_its_language_and_a_machine_with_a_problem(
    anonymous: httpx.AsyncClient, token: Callable[..., str], clock: FixedClock
) -> None:
    good = token("show", title="x")
    clock.advance(days=2)
    for path, status, slug, english, chinese in [
        (f"/p/{good}", 410, "link-expired", "no longer valid", "已过期"),
        ("/p/rubbish", 404, "link-invalid", "not one of ours", "链接无效"),
    ]:
        machine = await anonymous.get(path)
        assert (machine.status_code, machine.json()["type"]) == (status, f"urn:ltc:problem:{slug}")
        for language, words in (("en-GB,en;q=0.9", english), ("zh-CN,zh;q=0.9,en;q=0.8", chinese)):
            reply = await anonymous.get(path, headers={"Accept": "text/html,*/*", "Accept-Language": language})
            assert (reply.status_code, words in reply.text) == (status, True)
            assert reply.headers["content-type"].startswith("text/html")


async def test_a_changing_public_route_is_one_transaction(
    anonymous: httpx.AsyncClient, token: Callable[..., str], app: FastAPI
) -> None:
    path = f"/p/{token('note', 'x')}"
    reply = await anonymous.post(path, data={"text": "hello"}, headers={"Idempotency-Key": "belongs to nobody"})
    assert (reply.status_code, reply.json()["for"]) == (200, "x")
    refused = await anonymous.post(path, data={"text": "twice"}, headers={"Accept": "text/html"})
    assert (refused.status_code, "said twice" in refused.text) == (400, True)
    async with app.state.runtime.db.connection() as conn:
        assert await conn.fetchval("SELECT array_agg(text) FROM note") == ["hello"]


async def test_one_client_may_ask_so_often_and_another_is_not_hindered(app: FastAPI) -> None:
    def at(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://service")

    for _ in range(3):
        assert (await at("10.0.0.1").post("/p/rubbish", data={"text": "x"})).status_code == 404
    refused = await at("10.0.0.1").post("/p/rubbish", data={"text": "x"}, headers={"X-Forwarded-For": "10.9.9.9"})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:ltc:problem:too-many-requests")
    assert 1100 <= int(refused.headers["retry-after"]) <= 1200
    page = await at("10.0.0.1").post("/p/rubbish", data={"text": "x"}, headers={"Accept": "text/html", "Accept-Language": "zh"})
    assert (page.status_code, "请稍后再试" in page.text, "retry-after" in page.headers) == (429, True, True)
    assert (await at("10.0.0.2").post("/p/rubbish", data={"text": "x"})).status_code == 404
    assert (await at("10.0.0.1").get("/p/rubbish")).status_code == 404
    for last in range(3):
        assert (await at(f"2001:db8::{last}").post("/p/rubbish", data={"text": "x"})).status_code == 404
    assert (await at("2001:db8::ffff").post("/p/rubbish", data={"text": "x"})).status_code == 429
    assert (await at("2001:db8:0:1::1").post("/p/rubbish", data={"text": "x"})).status_code == 404


def test_a_throttle_gives_back_evenly_and_forgets_the_longest_silent(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 0.0
    throttle = pages.Throttle(2, per_s=10, clock=lambda: moment)
    monkeypatch.setattr(throttle, "_MOST", 2)

    def allowed(address: str) -> bool:
        request = Request({"type": "http", "headers": [], "app": app, "client": (address, 1), "path": "/", "method": "GET"})
        try:
            throttle.check(request)
            throttle.check(request)  # the same request counts once
        except TooManyRequests:
            return False
        return True

    assert [allowed("a"), allowed("a"), allowed("a")] == [True, True, False]
    moment = 5.0
    assert [allowed("a"), allowed("a")] == [True, False]
    assert [allowed("b"), allowed("c"), allowed("a")] == [True, True, True]


@pytest.mark.parametrize(
    ("proxies", "passed", "client"),
    [
        (0, "1.1.1.1", "9.9.9.9"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (2, "1.1.1.1", "9.9.9.9"),
        (1, "<script>", "9.9.9.9"),
        (1, "", "9.9.9.9"),
    ],
)
def test_a_forwarded_address_counts_as_far_as_our_proxies_wrote_it(app: FastAPI, proxies: int, passed: str, client: str) -> None:
    runtime = app.state.runtime
    runtime.settings = runtime.settings.model_copy(update={"trusted_proxies": proxies})
    headers = [(b"x-forwarded-for", passed.encode())]
    assert pages.client_of(Request({"type": "http", "headers": headers, "app": app, "client": ("9.9.9.9", 1)})) == client


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("zh-CN", "zh"), ("de,zh;q=0.5,en;q=0.4", "zh"), ("en,zh;q=0.9", "en"), ("zh;q=x", "en"), ("zh,en", "en")],
)
def test_the_language_is_chinese_where_it_is_preferred(header: str, language: str) -> None:
    request = Request({"type": "http", "headers": [(b"accept-language", header.encode())]})
    assert pages.language_of(request) == language


def test_an_open_router_says_why() -> None:
    with pytest.raises(ValueError, match="why"):
        pages.public_router(prefix="", tags=[], why="")
