"""Fetch the answers of leads of which a platform told the id only: between two transactions, bounded in time and size, with back-off.

take      the leads are ours for a while; when we end before they are settled, another fetches them
fetch     no transaction is open; a token goes to the platform's own host, and no redirection is followed
settle    the answers become a lead, or the next attempt is put off
"""

import asyncio
import logging
from datetime import timedelta

import httpx
from ltc_chassis import secrets
from ltc_chassis.db import is_down, is_retryable
from ltc_chassis.runtime import Runtime
from ltc_chassis.settings import ChassisSettings
from ltc_contracts.errors import DomainError

from lead_svc.domain.hook import Endpoint, Item
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.handlers import hooks
from lead_svc.handlers.hook_endpoints import check_fetch_url
from lead_svc.store import hook_deliveries as store
from lead_svc.store import hooks as endpoints

logger = logging.getLogger(__name__)
_AT_ONCE = 8
_HOLD = timedelta(minutes=2)
_CONNECT_S, _READ_S, _WHOLE_S = 5.0, 10.0, 20.0
_LARGEST = 256 * 1024


class AnswersNotFetched(DomainError):
    """The platform did not give the answers of a lead."""

    kind = "unavailable"


async def fetch_due(runtime: Runtime) -> int:
    """Fetch the answers that are due; how many leads were settled or put off."""
    async with runtime.db.transaction() as tx:
        taken = await store.take_waiting(tx.conn, tx.now, _HOLD, _AT_ONCE)
        known = {each: await endpoints.get_endpoint(tx.conn, each) for each in {item.endpoint_id for item in taken}}
    if not taken:
        return 0
    async with _client() as client:
        found = await asyncio.gather(*(_try(runtime.settings, client, known[item.endpoint_id], item) for item in taken))
    for item, result in zip(taken, found, strict=True):
        try:
            await _settle(runtime, known[item.endpoint_id], item, result)
        except Exception as error:
            if is_down(error) or is_retryable(error):
                raise
            # One lead spoils no other: it waits for its next attempt.
            logger.exception("fetched answers cannot be worked on")
    return len(taken)


async def _try(settings: ChassisSettings, client: httpx.AsyncClient, endpoint: Endpoint, item: Item) -> bytes | DomainError:
    try:
        return await _fetch(settings, client, endpoint, item)
    except DomainError as error:
        return error
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        return AnswersNotFetched(f"the platform could not be reached ({type(error).__name__})")


async def _fetch(settings: ChassisSettings, client: httpx.AsyncClient, endpoint: Endpoint, item: Item) -> bytes:
    fetch = PLATFORMS[endpoint.kind].fetch
    assert fetch is not None
    base = endpoint.fetch_url or f"https://{fetch.host}"
    # What is allowed may have changed since the endpoint was made.
    check_fetch_url(settings, endpoint.kind, base)
    token = secrets.text(settings, endpoint.fetch_secret or "")
    path, asked, headers = fetch.request(item.external_id, endpoint.fetch_version)
    headers = {**headers, "Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Encoding": "identity"}
    body = bytearray()
    async with (
        asyncio.timeout(_WHOLE_S),
        client.stream("GET", base.rstrip("/") + path, params=asked, headers=headers) as reply,
    ):
        if reply.status_code != httpx.codes.OK:
            raise AnswersNotFetched(f"the platform answered {reply.status_code}")
        async for part in reply.aiter_bytes():
            body += part
            if len(body) > _LARGEST:
                raise AnswersNotFetched(f"the answer has more than {_LARGEST} bytes")
    return bytes(body)


async def _settle(runtime: Runtime, endpoint: Endpoint, item: Item, result: bytes | DomainError) -> None:
    async with runtime.db.transaction() as tx:
        delivery = await store.get_delivery_for_update(tx.conn, item.delivery_id)
        now = await store.get_item_for_update(tx.conn, item.id)
        if now.state != "waiting" or now.attempts != item.attempts:
            return  # it took us so long that somebody else did it
        if isinstance(result, bytes):
            await hooks.read_answers(tx, endpoint, now, result)
        elif now.attempts >= hooks.MOST_ATTEMPTS:
            await hooks.refuse_item(tx, now, result, failed=True)
        else:
            logger.warning("answers of a lead are not fetched yet: %s", result.slug())
            await store.put_off(tx.conn, now.id, tx.now + hooks.pause(now.attempts), reason=result.reason[:500])
            return
        await hooks.settle(tx, delivery)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S), follow_redirects=False, limits=httpx.Limits(max_connections=_AT_ONCE)
    )
