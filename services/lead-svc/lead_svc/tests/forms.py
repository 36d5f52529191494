"""Forms for tests: how one is published, opened and sent."""

import re
from typing import Any

import httpx

Json = dict[str, Any]
HTML = {
    "Accept": "text/html",
    "Accept-Language": "en",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "Content-Type": "application/x-www-form-urlencoded",
}
NEWS = {"en": "Send me news by e-mail. You can end this at any time.", "zh": "请向我发送产品资讯邮件，您可随时退订。"}
NOTICE = {
    "en": "I have read the privacy notice at https://www.example.com/privacy.",
    "zh": "我已阅读隐私声明：https://www.example.com/privacy。",
}
PLAN: Json = {
    "languages": ["en", "zh"],
    "title": {"en": "Talk to our engineers", "zh": "联系我们的工程师"},
    "intro": {
        "en": "Tell us about your plant. An engineer answers within one working day.",
        "zh": "请介绍您的工厂情况，工程师将在一个工作日内回复。",
    },
    "fields": [
        {"name": "name", "required": True},
        {"name": "email", "required": True},
        {"name": "phone"},
        {"name": "company", "required": True},
        {"name": "country", "required": True},
        {
            "name": "company_size",
            "choices": [
                {"value": "1", "label": {"en": "1 to 49", "zh": "1 至 49 人"}},
                {"value": "50", "label": {"en": "50 to 499", "zh": "50 至 499 人"}},
                {"value": "500", "label": {"en": "500 and more", "zh": "500 人以上"}},
            ],
        },
        {"name": "message"},
        {"name": "industry", "hidden": True, "value": "machinery"},
    ],
    "consents": [
        {"key": "notice", "purpose": "privacy", "required": True, "wording": NOTICE},
        {"key": "news", "purpose": "marketing", "wording": NEWS},
    ],
    "channel": "web",
    "source": "contact form",
    "success": {"en": "An engineer will write to you.", "zh": "工程师将与您联系。"},
}
ANNA = {
    "name": "Anna Rossi",
    "email": "anna@rossi.example",
    "company": "Rossi SpA",
    "country": "IT",
    "consent.notice": "yes",
}


async def published(client: httpx.AsyncClient, key: str = "contact", **changed: Any) -> Json:
    """A form that is shown."""
    made = await client.post("/v1/forms", json={"key": key, "name": "Contact", "draft": {**PLAN, **changed}})
    assert made.status_code == 201, made.text
    shown = await client.post(f"/v1/forms/{key}/publish", json={"version": 1})
    assert shown.status_code == 200, shown.text
    form: Json = shown.json()
    return form


def hidden(page: str) -> dict[str, str]:
    """What a page carries along."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


async def opened(anonymous: httpx.AsyncClient, key: str = "contact", query: str = "", **headers: str) -> dict[str, str]:
    """The page as a browser has it."""
    page = await anonymous.get(f"/f/{key}{query}", headers={**HTML, **headers})
    assert page.status_code == 200, page.text
    return hidden(page.text)


async def sent(anonymous: httpx.AsyncClient, answers: dict[str, Any], key: str = "contact", **headers: str) -> httpx.Response:
    return await anonymous.post(f"/f/{key}", data=answers, headers={**HTML, **headers})


async def leads_of(client: httpx.AsyncClient) -> list[Json]:
    found: list[Json] = (await client.get("/v1/leads")).json()["items"]
    return found


async def stats_of(client: httpx.AsyncClient, key: str = "contact") -> Json:
    found: Json = (await client.get(f"/v1/forms/{key}/stats")).json()
    return found
