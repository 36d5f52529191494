"""What every form says without being told to, in the languages of forms."""

import functools
from collections.abc import Mapping

from ltc_rules.countries import codes
from phonenumbers.geodata.locale import LOCALE_DATA

LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "name": "Full name",
        "email": "E-mail address",
        "phone": "Telephone",
        "company": "Company",
        "website": "Website",
        "country": "Country or region",
        "industry": "Industry",
        "company_size": "Number of employees",
        "message": "Your message",
    },
    "zh": {
        "name": "姓名",
        "email": "电子邮箱",
        "phone": "电话",
        "company": "公司名称",
        "website": "公司网站",
        "country": "国家或地区",
        "industry": "行业",
        "company_size": "员工人数",
        "message": "留言",
    },
}
HELP: Mapping[str, Mapping[str, str]] = {
    "en": {"phone": "With country code, for example +49 30 1234567", "website": "For example www.example.com"},
    "zh": {"phone": "请填写国家代码，例如 +86 138 0013 8000", "website": "例如 www.example.com"},
}
PROBLEMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "required": "Please fill this in.",
        "long": "Please use at most {limit} characters.",
        "signs": "Line breaks and control characters are not possible here.",
        "unreadable": "This text did not arrive readably. Please type it again.",
        "choice": "Please choose from the list.",
        "email": "Please enter an e-mail address like name@example.com.",
        "phone": "Please enter a telephone number with its country code, like +49 30 1234567.",
        "website": "Please enter a web address like www.example.com.",
        "size": "Please enter a whole number.",
        "agree": "Please tick this box to continue.",
        "own_number": "Please enter a number within the limits.",
        "own_integer": "Please enter a whole number within the limits.",
        "own_boolean": "Please tick or leave empty.",
        "own_date": "Please enter a day, like 2026-01-31.",
        "own_choice": "Please choose from the list.",
        "own_multi_choice": "Please choose from the list.",
        "own_url": "Please enter a web address that begins with https://.",
        "own_email": "Please enter an e-mail address like name@example.com.",
    },
    "zh": {
        "required": "请填写此项。",
        "long": "最多可填写 {limit} 个字符。",
        "signs": "此处不能包含换行或控制字符。",
        "unreadable": "文字未能正确接收，请重新输入。",
        "choice": "请从列表中选择。",
        "email": "请输入有效的电子邮箱，例如 name@example.com。",
        "phone": "请输入带国家代码的电话号码，例如 +86 138 0013 8000。",
        "website": "请输入网址，例如 www.example.com。",
        "size": "请输入整数。",
        "agree": "请勾选此项后继续。",
        "own_number": "请输入范围内的数字。",
        "own_integer": "请输入范围内的整数。",
        "own_boolean": "请勾选或留空。",
        "own_date": "请输入日期，例如 2026-01-31。",
        "own_choice": "请从列表中选择。",
        "own_multi_choice": "请从列表中选择。",
        "own_url": "请输入以 https:// 开头的网址。",
        "own_email": "请输入有效的电子邮箱，例如 name@example.com。",
    },
}
PAGE: Mapping[str, Mapping[str, str]] = {
    "en": {
        "submit": "Send",
        "choose": "Please choose",
        "optional": "optional",
        "error": "Error",
        "invalid": "Please check your answers",
        "expired": "This page was open for long. Your answers are still here: please look at them and send them again.",
        "speed": "That was very fast. Please look at your answers and send them again.",
        "rate": "There were many messages from your network. Please wait {limit} seconds and send it again.",
        "honey": "Leave this empty",
        "language": "Language",
        "thanks": "Thank you",
        "thanks_text": "We have received your message.",
        "closed": "This form is closed",
        "closed_text": "It does not take answers any more. Thank you for your interest.",
    },
    "zh": {
        "submit": "提交",
        "choose": "请选择",
        "optional": "选填",
        "error": "错误",
        "invalid": "请检查您填写的内容",
        "expired": "页面打开时间过长。您填写的内容已保留，请确认后再次提交。",
        "speed": "提交过快，请确认填写的内容后再次提交。",
        "rate": "来自您所在网络的提交过多，请在 {limit} 秒后再次提交。",
        "honey": "请勿填写此项",
        "language": "语言",
        "thanks": "感谢您",
        "thanks_text": "我们已收到您的信息。",
        "closed": "表单已关闭",
        "closed_text": "此表单已停止接收信息，感谢您的关注。",
    },
}


@functools.cache
def countries(language: str) -> tuple[tuple[str, str], ...]:
    """Every country with its name, in the order of the English names."""
    named = sorted(codes(), key=lambda code: _country(code, "en"))
    return tuple((code, _country(code, language)) for code in named)


def _country(code: str, language: str) -> str:
    name = LOCALE_DATA[code].get(language, code)
    # Names that are the same in two languages are kept once.
    return LOCALE_DATA[code][name[1:]] if name.startswith("*") else name
