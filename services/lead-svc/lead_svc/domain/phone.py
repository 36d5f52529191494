"""Telephone numbers in E.164, as one is compared with another."""

import re

import phonenumbers
from phonenumbers import PhoneMetadata

_INTERNATIONAL = re.compile(r"\+[1-9](?:[ ./-]?[0-9]){5,14}")
_NATIONAL = re.compile(r"\(?[0-9](?:[ ()./-]{0,2}[0-9]){4,14}")
_SIGNS = re.compile(r"[^0-9]")


def normal_phone(text: str, country: str | None) -> str | None:
    """E.164; a national number needs its country. None when it cannot be a telephone number."""
    return _usual(text, country) or parsed(text, country)


def parsed(text: str, country: str | None) -> str | None:
    """`normal_phone` of any spelling."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _usual(text: str, country: str | None) -> str | None:
    """The same for the usual spellings, "+49 30 1234567" and "030 1234567", by the same metadata in a fifth of the time, since a bulk
    brings thousands a second. None leaves the decision to the parser: wherever a prefix could be read in two ways.
    """
    if _INTERNATIONAL.fullmatch(text):
        return _international(_SIGNS.sub("", text))
    if country is not None and _NATIONAL.fullmatch(text):
        return _national(_SIGNS.sub("", text), country)
    return None


def _international(digits: str) -> str | None:
    for length in (1, 2, 3):
        code = int(digits[:length])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            about = _metadata(code)
            national = digits[length:]
            if about is None or about.general_desc is None or len(national) not in about.general_desc.possible_length:
                return None
            # A trunk prefix ("+49 030 ...") is no part of the number, and what begins like one may not be one.
            prefix = about.national_prefix_for_parsing
            return None if prefix and re.match(prefix, national) else f"+{digits}"
    return None


def _national(digits: str, country: str) -> str | None:
    code = phonenumbers.country_code_for_region(country)
    about = _metadata(code) if code else None
    # Countries that share a code have rules of their own; the parser knows them.
    if about is None or about.general_desc is None or about.id != country or digits.startswith(str(code)):
        return None
    if about.international_prefix and re.match(about.international_prefix, digits):
        return None
    prefix = about.national_prefix_for_parsing
    if prefix and re.match(prefix, digits):
        if prefix != about.national_prefix or about.national_prefix_transform_rule:
            return None
        if re.fullmatch(about.general_desc.national_number_pattern or "", digits):
            return None
        digits = digits[len(prefix) :]
    return f"+{code}{digits}" if len(digits) in about.general_desc.possible_length else None


def _metadata(code: int) -> "PhoneMetadata | None":
    return PhoneMetadata.metadata_for_region_or_calling_code(code, phonenumbers.region_code_for_country_code(code))
