"""Kinds of sensitive information. The numbers are examples of the authorities that give them out,
or of docs.aws.amazon.com/bedrock/latest/userguide/guardrails-sensitive-filters.html.
"""

from typing import get_args

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_replayer.overlay.simulation.guardrails import keywords
from bedtape_replayer.overlay.simulation.guardrails.sensitive import KINDS, find_kind

FOUND = [
    ("ADDRESS", "I live at [100 Main Street, Anytown, USA]."),
    ("AGE", "I am [40 years] old"),
    ("AWS_ACCESS_KEY", "key [AKIA" + "IOSFODNN7EXAMPLE]"),
    ("AWS_SECRET_KEY", "secret [wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY]"),
    ("CA_HEALTH_NUMBER", "health card [1234-567-890]"),
    ("CA_SOCIAL_INSURANCE_NUMBER", "SIN [046 454 286]"),
    ("CREDIT_DEBIT_CARD_CVV", "the CVV is [123]"),
    ("CREDIT_DEBIT_CARD_EXPIRY", "until [01/27] or [12/2030]"),
    ("CREDIT_DEBIT_CARD_NUMBER", "card [4111 1111 1111 1111] or [378282246310005]"),
    ("EMAIL", "write to [abc@pqrt.com], [a.b+c@x-y.example.org]"),
    ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "IBAN [DE89 3704 0044 0532 0130 00]"),
    ("IP_ADDRESS", "from [198.51.100.0] and [2001:0db8:85a3:0000:0000:8a2e:0370:7334]"),
    ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "[DE89370400440532013000] BIC DEUTDEFF"),
    (
        "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
        "[NO93 8601 1117 947] OR [GB82 WEST 1234 5698 7654 32] AND [BE68539007547034]",
    ),
    ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "口座は[DE89370400440532013000]です"),
    ("IP_ADDRESS", "[::1], [fe80::1]%eth0, [2001:db8::1]. At [2001:db8::1]: [::ffff:192.0.2.1]"),
    ("IP_ADDRESS", "at [10.0.0.1]:80, or host=[2001:db8::7]"),
    ("IP_ADDRESS", "サーバーは[10.0.0.1]です"),
    ("IP_ADDRESS", "[1:2:3:4:5:6:7::], [::2:3:4:5:6:7:8], [1:2:3:4:5:6:192.0.2.1] or [1::]"),
    ("IP_ADDRESS", "IP:[fe80::1] host:[2001:db8::7] IPv6:[::1] アドレス:[fe80::1] x:[10.0.0.1]"),
    ("PASSWORD", "password\u00a0:\u00a0[hunter22]\u00a0and password\u3000is\u3000[hunter22]\u3000"),
    ("PIN", "the PIN\u00a0is\u202f[1234]"),
    ("URL", "see [https://a.example/x]\u3000[www.example.com]\u00a0"),
    ("EMAIL", "メールは[a@b.org]です"),
    ("PHONE", "電話は[+81 90-1234-5678]です"),
    ("MAC_ADDRESS", "card [00:0a:95:9d:68:16]"),
    ("IP_ADDRESS", "My server is [10.0.0.1]."),
    ("PASSWORD", "password: [*very20special#pass*]"),
    ("PASSWORD", "My password is [hunter2]. Reset it."),
    ("PHONE", "call [+1 555-123-4567], [(555) 123-4567] or [+49 30 901820]"),
    ("PIN", "my PIN is [1234]"),
    ("SWIFT_CODE", "SWIFT code [DEUTDEFF500]"),
    ("UK_NATIONAL_HEALTH_SERVICE_NUMBER", "NHS [943 476 5919]"),
    ("UK_NATIONAL_INSURANCE_NUMBER", "NINO [AB 12 34 56 C]"),
    ("UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER", "UTR: [12345 67890]"),
    ("URL", "see [https://www.example.com/a?b=c], or [www.example.com]"),
    ("USERNAME", "user name: [johndoe]"),
    ("USERNAME", "my login is [johndoe]"),
    ("US_BANK_ACCOUNT_NUMBER", "account number [12345678901]"),
    ("US_BANK_ROUTING_NUMBER", "routing [021000021]"),
    ("US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER", "ITIN [912-70-1234]"),
    ("US_PASSPORT_NUMBER", "passport number [C03005988]"),
    ("US_SOCIAL_SECURITY_NUMBER", "SSN [078-05-1120]"),
    ("VEHICLE_IDENTIFICATION_NUMBER", "VIN [1HGCM82633A004352]"),
]
OTHERS = [
    ("AGE", "in 5 years"),
    ("CA_SOCIAL_INSURANCE_NUMBER", "046 454 287"),
    ("CREDIT_DEBIT_CARD_NUMBER", "4111 1111 1111 1112"),
    ("EMAIL", "a@b"),
    ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "DE88 3704 0044 0532 0130 00"),
    ("IP_ADDRESS", "version 1.2.3.400 or 1.2.3.4.5"),
    ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "GB82 WEST 1234 5698 7654 3 and ZZ89370400440532013000"),
    ("IP_ADDRESS", "at 12:30:45, std::vector, Foo::Bar, 00:0a:95:9d:68:16, 1::2::3 or ::"),
    ("IP_ADDRESS", "dead::beef, a::b, std::face::, list::add, 1:2:3:4:5:6:7:8:9"),
    ("PASSWORD", "I need a password reset, a password must have 12 characters"),
    ("PHONE", "1234561666"),
    ("PIN", "1234"),
    ("UK_NATIONAL_HEALTH_SERVICE_NUMBER", "943 476 5918"),
    ("US_BANK_ROUTING_NUMBER", "021000022"),
    ("US_SOCIAL_SECURITY_NUMBER", "666-05-1120"),
    ("NAME", "Ada Lovelace"),
    ("LICENSE_PLATE", "ABC-123"),
    ("USERNAME", "the login page has a username field"),
    ("DRIVER_ID", "D1234567"),
]


@pytest.mark.parametrize(("kind", "text"), [*FOUND, *OTHERS], ids=str)
def test_a_kind_is_found_by_its_form(kind: str, text: str) -> None:
    """Brackets mark what is found."""
    plain = text.replace("[", "").replace("]", "")
    marked = plain
    for start, end in reversed(list(find_kind(kind, plain))):
        marked = f"{marked[:start]}[{marked[start:end]}]{marked[end:]}"
    assert marked == text


def test_each_kind_of_the_service_is_known() -> None:
    model = botocore.session.Session().get_service_model("bedrock")
    kinds = model.shape_for("GuardrailPiiEntityType").enum
    assert set(KINDS) == set(kinds) == set(get_args(keywords.PiiType))
    assert {kind for kind, _ in FOUND} | {"NAME", "LICENSE_PLATE", "DRIVER_ID"} == set(kinds)


@pytest.mark.parametrize("space", [chr(n) for n in range(0x10000) if chr(n).isspace()], ids=ascii)
def test_all_white_space_of_unicode_separates(space: str) -> None:
    texts = {
        text[start:end]
        for kind, text in (
            ("PASSWORD", f"password{space}:{space}hunter22{space}x"),
            ("PIN", f"PIN{space}1234"),
            ("URL", f"https://a.example/x{space}x"),
        )
        for start, end in find_kind(kind, text)
    }
    assert texts == {"hunter22", "1234", "https://a.example/x"}


@given(st.text(st.sampled_from("0129 -./:@aAZ+()")))
def test_a_place_is_in_the_text(text: str) -> None:
    for kind in KINDS:
        for start, end in find_kind(kind, text):
            assert 0 <= start < end <= len(text)
