"""The kinds of sensitive information that have a form, as patterns.

The names of the kinds and their examples are from
docs.aws.amazon.com/bedrock/latest/userguide/guardrails-sensitive-filters.html. The service finds
them by a model and by context; here a pattern decides. A kind whose numbers have no form of their
own needs a word before the number, such as "PIN". NAME, DRIVER_ID and LICENSE_PLATE have no form,
so that a policy must list their texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from bedtape_cassettes.text import SPACES


def _has_luhn_digit(text: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = (digit * 2 for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the two check digits are those of ISO 13616."""
    bare = text.replace(" ", "")
    return int("".join(str(int(each, 36)) for each in bare[4:] + bare[:4])) % 97 == 1


def _is_ip(text: str) -> bool:
    """Whether it is an address with a digit. `::` and `dead::beef` are also names in source
    code.
    """
    try:
        ip_address(text)
    except ValueError:
        return False
    return any(each.isdigit() for each in text)


def _has_nhs_digit(text: str) -> bool:
    """Whether the last digit is the check digit of a number of the NHS."""
    digits = [int(each) for each in text if each.isdigit()]
    total = sum(digit * (10 - at) for at, digit in enumerate(digits[:9]))
    return (11 - total % 11) % 11 == digits[9]


def _is_routing_number(text: str) -> bool:
    """Whether the last digit is the check digit of a routing number of the ABA."""
    weights = (3, 7, 1) * 3
    return sum(int(d) * w for d, w in zip(text, weights, strict=True)) % 10 == 0


def _is_vehicle(text: str) -> bool:
    return any(each.isdigit() for each in text) and any(each.isalpha() for each in text)


class _Form(NamedTuple):
    """pattern: its group `value`, or all of it, is the sensitive text. check: whether
    the text is valid.
    """

    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None = None


def _compile(pattern: str) -> re.Pattern[str]:
    """A pattern whose words are ASCII, because a text in Japanese or Chinese has no space beside
    an address. It contains `\\s` in character classes only.
    """
    pattern = pattern.replace(r"\s", SPACES)
    return re.compile(pattern, re.ASCII)


def _after(word: str, value: str) -> re.Pattern[str]:
    """A value after a word that names it, such as "PIN: 1234" or "my PIN is 1234"."""
    return _compile(
        rf"(?i:\b(?:{word})\b)[\s:=#]{{0,3}}(?:(?:is|was|of)\b)?[\s:=]{{0,3}}(?P<value>{value})"
    )


def _after_link(word: str, value: str) -> re.Pattern[str]:
    """A value that may be any word, so that a sign or a verb must link it to the word before it."""
    return _compile(
        rf"(?i:\b(?:{word})(?:[\s]*[:=#][\s]*|[\s]+(?:is|was)[\s:=]+))(?P<value>{value})"
    )


_STREET = "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Way"
_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# The countries by the length of their numbers, from the registry of ISO 13616.
_IBAN_LENGTHS = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_IBAN = "|".join(
    rf"\b(?:{countries.replace(' ', '|')})\d\d(?: ?[A-Z0-9]){{{length - 4}}}\b"
    for length, countries in _IBAN_LENGTHS.items()
)
_FORMS: dict[str, _Form] = {
    "ADDRESS": _Form(
        _compile(rf"\b\d{{1,5}} (?:[A-Z][a-z]+ ){{1,3}}(?:{_STREET})\b(?:, [A-Z][A-Za-z]+){{0,3}}")
    ),
    "AGE": _Form(_compile(r"\b\d{1,3}[ -]years?\b(?=[ -]old\b)|(?<=aged )\d{1,3}\b")),
    "AWS_ACCESS_KEY": _Form(_compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    "AWS_SECRET_KEY": _Form(_compile(r"(?<![\w/+=])[A-Za-z0-9/+]{40}(?![\w/+=])")),
    "CA_HEALTH_NUMBER": _Form(_after("health (?:card|number)", r"\d{4}[ -]?\d{3}[ -]?\d{3}\b")),
    "CA_SOCIAL_INSURANCE_NUMBER": _Form(_compile(r"\b\d{3}[ -]\d{3}[ -]\d{3}\b"), _has_luhn_digit),
    "CREDIT_DEBIT_CARD_CVV": _Form(_after("CVV|CVC|security code", r"\d{3,4}\b")),
    "CREDIT_DEBIT_CARD_EXPIRY": _Form(_compile(r"\b(?:0[1-9]|1[0-2])/(?:20)?\d\d\b")),
    "CREDIT_DEBIT_CARD_NUMBER": _Form(
        _compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])"), _has_luhn_digit
    ),
    "EMAIL": _Form(_compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")),
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": _Form(_compile(_IBAN), _is_iban),
    "IP_ADDRESS": _Form(
        _compile(
            # after a word and a colon, if the end of the word could not belong to the address
            r"(?:(?<![\w:])|(?<=[G-Zg-z\u0080-\U0010ffff]:)|(?<=[Vv]6:))"
            rf"(?!:(?!:))(?:[0-9A-Fa-f]{{0,4}}:){{2,8}}(?:{_IPV4}|[0-9A-Fa-f]{{1,4}}|(?<=::))"
            rf"(?!\w|:[\w:])|(?<![\w.]){_IPV4}(?!\w|\.\w)"
        ),
        _is_ip,
    ),
    "MAC_ADDRESS": _Form(_compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])")),
    "PASSWORD": _Form(_after_link("password|passwd|pwd", r"[^\s,;]{3,}[^\s,;.!?]")),
    "PHONE": _Form(
        _compile(
            r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
            r"|(?<![\w.+-])\+\d{1,3}(?:[ .-]?\d{2,4}){2,5}(?![\w-])"
        )
    ),
    "PIN": _Form(_after("PIN", r"\d{4,6}\b")),
    "SWIFT_CODE": _Form(_after("SWIFT(?: code)?|BIC", r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b")),
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": _Form(
        _compile(r"\b\d{3}[ -]\d{3}[ -]\d{4}\b"), _has_nhs_digit
    ),
    "UK_NATIONAL_INSURANCE_NUMBER": _Form(
        _compile(r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b")
    ),
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": _Form(
        _after("UTR|taxpayer reference", r"\d{5} ?\d{5}\b")
    ),
    "URL": _Form(_compile(r"\b(?:https?://|www\.)[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)]")),
    "USERNAME": _Form(_after_link("user ?name|login", r"[A-Za-z0-9._-]{3,64}\b")),
    "US_BANK_ACCOUNT_NUMBER": _Form(_after("account(?: number)?", r"\d{8,17}\b")),
    "US_BANK_ROUTING_NUMBER": _Form(_compile(r"\b\d{9}\b"), _is_routing_number),
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": _Form(
        _compile(r"\b9\d\d[- ](?:5\d|6[0-5]|[7-9]\d)[- ]\d{4}\b")
    ),
    "US_PASSPORT_NUMBER": _Form(_after("passport(?: number)?", r"[A-Z0-9]\d{8}\b")),
    "US_SOCIAL_SECURITY_NUMBER": _Form(
        _compile(r"\b(?!000|666|9)\d{3}[- ](?!00)\d\d[- ](?!0000)\d{4}\b")
    ),
    "VEHICLE_IDENTIFICATION_NUMBER": _Form(_compile(r"\b[A-HJ-NPR-Z0-9]{17}\b"), _is_vehicle),
}
KINDS = (*sorted({*_FORMS, "DRIVER_ID", "LICENSE_PLATE", "NAME"}),)


def find_kind(kind: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a text contains sensitive information of a kind. A kind
    without a form is in no text.
    """
    if (form := _FORMS.get(kind)) is None:
        return
    for match in form.pattern.finditer(text):
        span = match.span("value" if "value" in match.re.groupindex else 0)
        if form.check is None or form.check(text[slice(*span)]):
            yield span
