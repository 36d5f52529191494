"""The platforms side by side: how each proves itself, what it tells, and where its answers are fetched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lead_svc.domain import hook_baidu, hook_google, hook_linkedin, hook_meta, hook_signed, hook_wechat
from lead_svc.domain.hook import Kind, Notice, Proof, Push

Verify = Callable[[Push, Sequence[bytes], datetime, int], Proof]
# Path, parameters and headers.
Request = tuple[str, dict[str, str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Fetch:
    """How the answers of a lead are fetched, of which only the id was told: from `host` and nowhere else."""

    host: str
    request: Callable[[str, str | None], Request]
    read: Callable[[bytes, str], Notice]


@dataclass(frozen=True, slots=True)
class Platform:
    """`fields` are the questions that the platform has names for; `thanks` is what it wants to hear when a delivery is taken."""

    verify: Verify
    notices: Callable[[Push], list[Notice]]
    fields: Mapping[str, Sequence[Sequence[str]]]
    fetch: Fetch | None = None
    thanks: Mapping[str, Any] | None = None


# Baidu and Tencent take a delivery for failed unless the answer says so in its body, too.
_OK = {"code": 0, "message": "success"}

PLATFORMS: Mapping[Kind, Platform] = {
    "google": Platform(hook_google.verify, hook_google.notices, hook_google.FIELDS),
    "linkedin": Platform(
        hook_linkedin.verify,
        hook_linkedin.notices,
        hook_linkedin.FIELDS,
        Fetch(hook_linkedin.HOST, hook_linkedin.request, hook_linkedin.fetched),
    ),
    "meta": Platform(
        hook_meta.verify, hook_meta.notices, hook_meta.FIELDS, Fetch(hook_meta.HOST, hook_meta.request, hook_meta.fetched)
    ),
    "baidu": Platform(hook_baidu.verify, hook_baidu.notices, hook_baidu.FIELDS, thanks=_OK),
    "wechat": Platform(hook_wechat.verify, hook_wechat.notices, hook_wechat.FIELDS, thanks=_OK),
    "signed": Platform(hook_signed.verify, hook_signed.notices, hook_signed.FIELDS),
}
