"""Pages in a real browser."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from ltc_chassis.testing_browser import CHROMIUM, chromium
from playwright.async_api import Page


def in_a_browser(test: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a test that needs one."""
    skip = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
    marked: Callable[..., Any] = pytest.mark.browser(skip(test))
    return marked


@contextlib.asynccontextmanager
async def browsing(locale: str, *, width: int = 390, height: int = 800, scheme: Any = "light") -> AsyncIterator[Page]:
    """A page as wide as a telephone; at the end nothing may have been complained of, the policy against foreign code included.

    That a page is gone or refused is what some tests are about: the browser notes the status, which is no complaint.
    """
    problems: list[str] = []
    async with chromium() as browser:
        size: Any = {"width": width, "height": height}
        context = await browser.new_context(locale=locale, viewport=size, color_scheme=scheme)
        page = await context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        await page.goto("about:blank")
    assert [each for each in problems if "the server responded with a status of 4" not in each] == []
