"""The kinds of secrets and personal data. One row of `KINDS` adds a kind to every search and every replacement."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

REDACTED = "REDACTED"
ACCOUNT = "123456789012"  # the account of AWS's documentation
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # the access key id of AWS's documentation
# `bedtape cassette redact` writes the kind, and a number for each value of that kind.
PLACEHOLDER = re.compile(rf"{REDACTED}-([a-z-]+)-([0-9]+)")

# Matched by the last word, because an exact recording keeps every header, and no list of names is complete.
_SECRET_HEADER = re.compile(
    r"(?i)(?:.*[-_])?(?:authorization|token|secret|api-?key|access-?key|password|cookie|credential)"
)


def is_secret_header(name: str) -> bool:
    """Whether a header's value is secret whatever the value is."""
    return _SECRET_HEADER.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class SecretKind:
    """One kind of secret or personal data.

    title: how messages name the kind. hints: wherever the pattern matches, the text in lower case contains one of
    the hints, because searching for a hint takes a fiftieth of the time; empty for a kind that is always searched.
    pattern: the first group, if there is one, is the label before the secret, which stays. It is matched against
    decoded texts, preceded by `"NAME":"` where the text is a member of a JSON object, and against JSON and URLs
    that could not be decoded, so it accepts their escapes.
    placeholder: replaces the secret whenever anything is written; without a placeholder, the write is refused.
    accepts: whether a match is the value that it looks like. personal: only the commands search for it.
    """

    name: str
    title: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    placeholder: str | None = None
    accepts: Callable[[str], bool] | None = None
    personal: bool = False


def _secret(title: str, hints: str, pattern: str, placeholder: str | None = None) -> SecretKind:
    name = re.sub("[^a-z]+", "-", re.sub("^an? ", "", title.lower())).strip("-")
    return SecretKind(name, title, tuple(hints.split("|")), re.compile(pattern, re.ASCII | re.DOTALL), placeholder)


def _personal(name: str, hints: str, pattern: str, accepts: Callable[[str], bool] | None = None) -> SecretKind:
    return SecretKind(name, name, tuple(hints), re.compile(pattern), None, accepts, personal=True)


# Where a secret may begin. In JSON and in URLs, a letter or digit may be the end of an escape: `\nAKIA…`.
_START = r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_WORD = r"(?:[A-Za-z0-9_~+=.%-]|\\?/)"  # some JSON writers escape the slash
_IS = r"(?:=|%3[Dd]|\\u003[Dd])"
_COLON = r"(?::|%3[Aa])"
_ARN = f"arn{_COLON}aws[a-z-]*{_COLON}[a-z0-9-]*{_COLON}[a-z0-9-]*{_COLON}"
_LABELS = [f"{a}{sign}{b}" for a, b in (("access", "key"), ("session", "token")) for sign in ("", "_", " ", "-")]

# Card companies publish these numbers for tests, so every second example contains one.
_TEST_CARDS = frozenset({"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005"})
_RESERVED = re.compile(r"(?i)[@.](?:example\.(?:com|org|net)|[\w-]+\.(?:example|test|invalid|localhost))$")
_FICTION = re.compile(r"555\D{0,2}01[0-9]{2}$")  # phone numbers that no one is given


def _is_card(text: str) -> bool:
    """By Luhn's check digit."""
    digits = [int(c) for c in text if c.isdigit()]
    if "".join(map(str, digits)) in _TEST_CARDS:
        return False
    doubled = [d if n % 2 == 0 else sum(divmod(2 * d, 10)) for n, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """By ISO 7064's remainder."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


_TABLE = (
    _secret(
        "a SigV4 authorization",
        "aws4-",
        r"(AWS4-(?:HMAC|ECDSA-P256)-SHA256 )Credential=[^\s,\"\\]+(?:,\s*[\w-]+=[^\s,\"\\]+)*",
        REDACTED,
    ),
    _secret(
        "an access key id",
        "akia|asia|abia|acca",
        _START + rf"(?!{ACCESS_KEY})(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{16}}(?![A-Za-z0-9])",
        ACCESS_KEY,
    ),
    _secret("an account id in an ARN", "arn:aws|arn%3aaws", rf"({_ARN})(?!{ACCOUNT})\d{{12}}(?!\d)", ACCOUNT),
    _secret(
        "an account id",
        "accountid|bucketowner",
        rf'("(?:bucketOwner|[A-Za-z]*[aA]ccountId)\\*"\s*:\s*\\*")(?!{ACCOUNT})\d{{12}}(?=\\*")',
        ACCOUNT,
    ),
    _secret(
        "a presigned URL's signature",
        "signature|x-amz-|awsaccesskeyid",
        rf"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|{_START}Signature){_IS})"
        rf"(?!REDACTED){_WORD}{{16,}}",
        REDACTED,
    ),
    _secret("a bearer token", "bearer", rf"(?i)({_START}bearer(?: |%20|\+)+)(?!REDACTED){_WORD}{{20,}}", REDACTED),
    _secret(
        "a Bedrock API key",
        "absk|bedrock-api-key-",
        _START + r"(?:ABSK(?:[A-Za-z0-9+]|\\?/){40,}=*|bedrock-api-key-(?:[A-Za-z0-9+=_-]|\\?/){20,})",
        REDACTED,
    ),
    _secret(
        "a secret access key or session token",
        "|".join(_LABELS),
        r"(?i)((?:secret[_ -]?access[_ -]?key|session[_ -]?token)\\*[\"']?\s*(?:[:=>]|%3[AaDd])\s*\\*[\"']?)"
        r"(?!REDACTED)(?:[A-Za-z0-9+=]|\\?/|%2[BbFf]|%3[Dd]){40,}",
        REDACTED,
    ),
    _secret(
        "a private key",
        "private key-----",
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----.*?(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|\Z)",
    ),
    _secret(
        "a GitHub token",
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        _START + r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})",
    ),
    _secret("a Slack token", "xox", _START + r"xox[abeprs]-[A-Za-z0-9-]{20,}"),
    _secret("an OpenAI or Anthropic key", "sk-", _START + r"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    _secret("a Google API key", "aiza", _START + r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _secret("a Stripe key", "k_live_", _START + r"[rs]k_live_[A-Za-z0-9]{20,}"),
    _secret(
        "a JSON web token", "eyj", _START + r"eyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"
    ),
    _personal(
        "email",
        "@",
        r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])",
        lambda text: _RESERVED.search(text) is None,
    ),
    _personal("card", "", r"(?<![\w.-])[3-6][0-9]{3}(?:[ -]?[0-9]{2,6}){2,4}(?![\w-])", _is_card),
    _personal("iban", "", r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", _is_iban),
    _personal("us-ssn", "-", r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])"),
    _personal(
        "phone",
        "",
        r"(?<![\w+.-])(?:\+[1-9][0-9]{0,2}(?:[ .()-]{0,2}[0-9]){7,12}"
        r"|(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4})(?![\w-])",
        lambda text: _FICTION.search(text) is None,
    ),
)
SECRET_HEADER = "secret-header"  # noqa: S105 -- the kind of a header that is secret by its name
KINDS = {
    kind.name: kind
    for kind in (*_TABLE, SecretKind(SECRET_HEADER, "a secret header", (), re.compile("(?!)"), REDACTED))
}
NAMES = tuple(kind.name for kind in _TABLE)
SECRETS = tuple(kind for kind in _TABLE if not kind.personal)
SCRUBBED = tuple(kind for kind in SECRETS if kind.placeholder is not None)
