"""The verbs of endpoints and their settings: made, changed, retired; each version is kept with who and when."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from ltc_chassis import custom_fields, secrets
from ltc_chassis.db import Transaction
from ltc_chassis.settings import ChassisSettings
from ltc_contracts.errors import Invalid, VersionConflict, WrongTransition

from lead_svc.domain.hook import Endpoint, Kind, Setting
from lead_svc.domain.hook_answers import check_mapping
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.settings import Settings
from lead_svc.store import campaigns
from lead_svc.store import hooks as store


async def add_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """A platform gets an address to push leads to. Raises `Invalid`."""
    await _check(tx, endpoint)
    await store.insert_endpoint(tx.conn, endpoint)


async def change_endpoint(tx: Transaction, endpoint_id: UUID, given: Mapping[str, Any], *, version: int, by: str) -> Endpoint:
    """Change what is given. Raises `Invalid`, `VersionConflict`, `WrongTransition` for one that is retired."""
    known = await store.get_endpoint_for_update(tx.conn, endpoint_id)
    if known.version != version:
        raise VersionConflict("the endpoint", known.version)
    if known.retired_at is not None:
        raise WrongTransition("the endpoint", "retired", "change")
    changed = replace(known, **given, version=version + 1, updated_by=by, updated_at=tx.now)
    await _check(tx, changed)
    await store.save_endpoint(tx.conn, changed)
    return changed


async def retire_endpoint(tx: Transaction, endpoint_id: UUID, by: str) -> Endpoint:
    """The address takes nothing any more, for good; retired before, nothing changes. Its deliveries stay."""
    known = await store.get_endpoint_for_update(tx.conn, endpoint_id)
    if known.retired_at is not None:
        return known
    retired = replace(
        known, active=False, retired_by=by, retired_at=tx.now, version=known.version + 1, updated_by=by, updated_at=tx.now
    )
    await store.save_endpoint(tx.conn, retired)
    return retired


async def change_setting(tx: Transaction, setting: Setting) -> Setting:
    """A new version. Raises `VersionConflict` unless it follows the latest."""
    latest = await store.get_setting(tx.conn)
    if setting.version != latest.version + 1 or not await store.insert_setting(tx.conn, setting):
        raise VersionConflict("the setting", (await store.get_setting(tx.conn)).version)
    return setting


def check_fetch_url(settings: ChassisSettings, kind: Kind, url: str) -> None:
    """Raise `Invalid` for an address that is not the platform's own, nor allowed by `LTC_CAPTURE_FETCH_HOSTS`; a token is sent there."""
    fetch = PLATFORMS[kind].fetch
    if fetch is None:
        raise Invalid(f"{kind} pushes the answers itself; nothing is fetched", field="fetch_url")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise Invalid("is no address", field="fetch_url") from error
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or parts.path.strip("/"):
        raise Invalid("has a scheme, a host and perhaps a port, nothing else", field="fetch_url")
    allowed = {each.strip().lower() for each in _settings(settings).capture_fetch_hosts.split(",")} - {""}
    if parts.scheme in ("https", "http") and (host if port is None else f"{host}:{port}") in allowed:
        return
    if parts.scheme != "https" or host != fetch.host or port not in (None, 443):
        raise Invalid(f"must be https://{fetch.host}, or a host that LTC_CAPTURE_FETCH_HOSTS allows", field="fetch_url")


async def _check(tx: Transaction, endpoint: Endpoint) -> None:
    for field in ("secret", "verify_secret", "fetch_secret"):
        name = getattr(endpoint, field)
        if name is not None:
            secrets.check_name(name, field=field)
    platform = PLATFORMS[endpoint.kind]
    if platform.fetch is not None and endpoint.fetch_secret is None:
        raise Invalid(f"{endpoint.kind} tells ids only: the token by which answers are fetched is needed", field="fetch_secret")
    if platform.fetch is None and endpoint.fetch_secret is not None:
        raise Invalid(f"{endpoint.kind} pushes the answers itself; nothing is fetched", field="fetch_secret")
    if endpoint.kind != "meta" and endpoint.verify_secret is not None:
        raise Invalid("only Meta checks an address by a token of its own", field="verify_secret")
    if endpoint.kind == "meta" and endpoint.verify_secret is None:
        raise Invalid("Meta checks the address by a token, which must not be the app secret", field="verify_secret")
    if endpoint.verify_secret is not None and endpoint.verify_secret == endpoint.secret:
        raise Invalid("the token is seen in addresses; it must not be the app secret", field="verify_secret")
    if endpoint.fetch_url is not None:
        check_fetch_url(tx.settings, endpoint.kind, endpoint.fetch_url)
    check_mapping(endpoint.mapping, await custom_fields.load(tx.conn, "lead"))
    if not await campaigns.has_channel(tx.conn, endpoint.channel):
        raise Invalid(f"there is no channel '{endpoint.channel}'", field="channel")
    wanted = set(endpoint.campaigns.values()) | ({endpoint.campaign} if endpoint.campaign else set())
    missing = sorted(wanted - await store.known_campaigns(tx.conn, sorted(wanted)))
    if missing:
        raise Invalid(f"there is no campaign '{missing[0]}'", field="campaigns")


def _settings(settings: ChassisSettings) -> Settings:
    if not isinstance(settings, Settings):
        raise TypeError(f"this service runs with {type(settings).__name__}, not Settings")
    return settings
