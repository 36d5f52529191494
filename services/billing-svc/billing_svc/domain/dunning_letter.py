"""What a dunning letter says, in the customer's language."""

from datetime import date
from typing import Literal

from billing_svc.domain.dunning import Notice, StepKind

Language = Literal["en", "zh"]
_TITLES: dict[Language, dict[StepKind, str]] = {
    "en": {
        "reminder": "Payment reminder",
        "formal": "Formal demand for payment",
        "final": "Final demand",
        "agency": "Collection",
    },
    "zh": {"reminder": "付款提醒", "formal": "正式催款函", "final": "最后催款函", "agency": "委托催收"},
}
_BEFORE: dict[Language, str] = {"en": "Upcoming payment", "zh": "即将到期付款提醒"}
_BODIES: dict[Language, dict[StepKind, str]] = {
    "en": {
        "reminder": "may we remind you of our invoice {number}, due on {due}. {open} are open. If you have paid meanwhile, "
        "please take this letter as settled.",
        "formal": "our invoice {number} was due on {due}, and {open} are still open. Please pay {claimed} within seven days.",
        "final": "in spite of our reminders {open} of our invoice {number}, due on {due}, are open. This is our last letter: please "
        "pay {claimed} within seven days. Until then we hold further orders.",
        "agency": "we have passed our claim of {claimed} from invoice {number}, due on {due}, to a collection agency.",
    },
    "zh": {
        "reminder": "谨此提醒：发票 {number} 的到期日为 {due}，尚有 {open} 未付。如您已付款，请忽略此函。",
        "formal": "发票 {number} 已于 {due} 到期，尚有 {open} 未付。请于七日内支付 {claimed}。",
        "final": "虽经多次提醒，到期日为 {due} 的发票 {number} 仍有 {open} 未付。此为最后一次催款：请于七日内支付 {claimed}。在此之前，"
        "后续订单将暂停处理。",
        "agency": "我们已将发票 {number}（到期日 {due}）的应收款 {claimed} 委托催收机构处理。",
    },
}
_GREETING: dict[Language, str] = {"en": "Dear {customer},", "zh": "{customer}："}


def language_of(country: str) -> Language:
    """The language that customers of a country are written to in."""
    return "zh" if country in {"CN", "HK", "MO", "TW"} else "en"


def title(notice: Notice, language: Language) -> str:
    """What the letter is called; before the due day it reminds of nothing that is late."""
    return _BEFORE[language] if notice.days < 0 else _TITLES[language][notice.kind]


def body(notice: Notice, number: str, due_on: date, language: Language) -> str:
    """The sentences between greeting and table."""
    return _BODIES[language][notice.kind].format(number=number, due=due_on.isoformat(), open=notice.open, claimed=notice.claimed)


def words(notice: Notice, number: str, due_on: date, customer: str, language: Language) -> tuple[str, str]:
    """Subject and text of the mail that brings the letter."""
    greeting = _GREETING[language].format(customer=customer)
    return f"{title(notice, language)}: {number}", f"{greeting}\n\n{body(notice, number, due_on, language)}\n"
