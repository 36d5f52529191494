"""One browser for all tests of a worker: to start one costs more than what most of them do with it.

What a test opens is its own: contexts share neither cookies nor storage, and those it left open are closed.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Playwright, async_playwright

from ltc_chassis.testing import LASTING

CHROMIUM = shutil.which("chromium")


class _Kept:
    """What is running, once it was wanted."""

    playwright: Playwright | None = None
    browser: Browser | None = None


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser in which nothing is open."""
    before = asyncio.all_tasks()
    if _Kept.playwright is None:
        _Kept.playwright = await async_playwright().start()
    if _Kept.browser is None or not _Kept.browser.is_connected():
        _Kept.browser = await _Kept.playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    LASTING.update(asyncio.all_tasks() - before)
    browser = _Kept.browser
    try:
        yield browser
    finally:
        for context in browser.contexts:
            await context.close()


@pytest.fixture(scope="session", autouse=True)
async def _end_of_browser() -> AsyncIterator[None]:
    yield
    if _Kept.browser is not None:
        await _Kept.browser.close()
    if _Kept.playwright is not None:
        await _Kept.playwright.stop()
    _Kept.browser = _Kept.playwright = None
