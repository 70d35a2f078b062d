"""The kinds of secrets and personal data. A row of `KINDS` adds a kind everywhere."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from bedtape_cassettes.text import SPACES

REDACTED = "REDACTED"
ACCOUNT = "123456789012"  # the account of AWS's documentation
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # the access key id of AWS's documentation
LONG = 20  # see `SecretKind.short`
# `bedtape cassette redact` writes the kind, and a number for each value of that kind.
PLACEHOLDER = re.compile(rf"{REDACTED}-([a-z-]+)-([0-9]+)")

# Matched by the last word, because an exact recording keeps every header, and no
# list of names is complete.
_SECRET_HEADER = re.compile(
    r"(?i)(?:.*[-_])?(?:authorization|token|secret|api-?key|access-?key|password|cookie|credential)"
)
_CREDENTIAL_VALUE = re.compile(
    r"(?i)\s*(?:basic|bearer|digest|negotiate) +(?!REDACTED$)\S.*", re.DOTALL
)


def is_secret_header(name: str, value: str = "") -> bool:
    """Whether a header's value is secret, by its name or by a form as in `Authorization`."""
    return (
        _SECRET_HEADER.fullmatch(name) is not None or _CREDENTIAL_VALUE.fullmatch(value) is not None
    )


@dataclass(frozen=True, slots=True)
class SecretKind:
    """One kind of secret or personal data.

    title: how messages name the kind. hints: wherever the pattern matches, the text in lower case
    contains one of the hints; empty for a kind that is always searched. cues: patterns, one of
    which matches the lower-case bytes of a document if the pattern matches one of its texts. Nearly
    all documents match none, and are not searched further. Each begins with literal text, which is
    found ten times faster. short: whether a secret may have no word of `LONG` letters, digits, and
    signs of base64; documents without such words are only searched for these kinds. pattern: the
    first group, if there is one, is the label before the secret, which stays. It is matched against
    decoded texts, preceded by `"NAME":"` where the text is a member of a JSON object, and against
    JSON and URLs that could not be decoded, so it accepts their escapes. placeholder: replaces the
    secret whenever anything is written. accepts: whether a match is the value that it looks like.
    personal: only commands and options search for it. outlines: texts, one of which a document
    contains if a cue matches it, once its ASCII letters are `a` and its digits are `0`; empty for
    cues that begin with literal text.
    """

    name: str
    title: str
    hints: tuple[str, ...]
    cues: tuple[bytes, ...]
    pattern: re.Pattern[str]
    placeholder: str = REDACTED
    accepts: Callable[[str], bool] | None = None
    personal: bool = False
    short: bool = False
    outlines: tuple[bytes, ...] = ()


# Where a secret may begin. In JSON and in URLs, a letter or digit may be the
# end of an escape: `\nAKIA…`.
_START = r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_WORD = r"(?:[A-Za-z0-9_~+=.%-]|\\?/)"  # some JSON writers escape the slash
_IS = r"(?:=|%3[Dd]|\\u003[Dd])"
_COLON = r"(?::|%3[Aa])"
_ARN = f"arn{_COLON}aws[a-z-]*{_COLON}[a-z0-9-]*{_COLON}[a-z0-9-]*{_COLON}"
# Labels of a secret access key and a session token, as SDKs, consoles, shells and prose spell them.
_LABEL_CUES = ("secret[_ -]?(?:access[_ -]?)?key", "session[_ -]?token", "security[_ -]?token")
_LABEL = f"(?:{'|'.join(_LABEL_CUES)})"
_IAM = ("aroa", "aida", "agpa", "aipa", "anpa", "anva", "apka", "asca")
_BASE64 = r"(?:[A-Za-z0-9+=]|\\?/|%2[BbFf]|%3[Dd])"
_ALPHANUMERIC, _URL_SAFE = "A-Za-z0-9", "A-Za-z0-9_-"
IAM_ID = "AIDACKCEVSQ6C2EXAMPLE"  # the id of a user in AWS's documentation


def _secret(
    title: str,
    hints: str,
    pattern: str,
    placeholder: str = REDACTED,
    cues: Sequence[str] = (),
    *,
    short: bool = False,
) -> SecretKind:
    """hints: separated by `|`. cues: the hints, unless they are given."""
    name = re.sub("[^a-z]+", "-", re.sub("^an? ", "", title.lower())).strip("-")
    words = tuple(hints.split("|"))
    encoded_cues = tuple(cue.encode() for cue in cues or map(re.escape, words))
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    return SecretKind(name, title, words, encoded_cues, compiled, placeholder, short=short)


def _token(title: str, hints: str, prefix: str, characters: str, least: int) -> SecretKind:
    """A token that a prefix identifies. characters: a class. least: how many follow the prefix."""
    cues = [f'{re.escape(hint)}[^\\s"]{{{least}}}' for hint in hints.split("|")]
    return _secret(title, hints, f"{_START}{prefix}[{characters}]{{{least},}}", cues=cues)


def _personal(
    name: str,
    hints: str,
    cues: Sequence[str],
    pattern: str,
    accepts: Callable[[str], bool] | None = None,
    outlines: Sequence[bytes] = (),
) -> SecretKind:
    """hints: characters."""
    return SecretKind(
        name,
        name,
        tuple(hints),
        tuple(cue.encode() for cue in cues),
        re.compile(pattern),
        accepts=accepts,
        personal=True,
        short=True,
        outlines=tuple(outlines),
    )


_DIGITS = "0123456789"


# Card companies publish these numbers for tests, so every second example contains one.
_TEST_CARDS = frozenset(
    {"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005"}
)
_RESERVED = (
    r"(?:[\w-]{1,63}\.){0,5}"
    r"(?i:example\.(?:com|org|net)|[\w-]{1,63}\.(?:example|test|invalid|localhost))(?![\w.-])"
)
_FICTION = r"[+0-9 ().-]{0,14}555[ .-]?01[0-9]{2}(?![0-9])"  # phone numbers that no one is given


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
    return (
        15 <= len(plain) <= 34
        and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
    )


_TABLE = (
    _secret(
        "a SigV4 authorization",
        "aws4-",
        r"(AWS4-(?:HMAC|ECDSA-P256)-SHA256 )Credential=[^\s,\"\\]+(?:,\s*[\w-]+=[^\s,\"\\]+)*",
        short=True,
    ),
    _secret(
        "an access key id",
        "akia|asia|abia|acca",
        _START + rf"(?!{ACCESS_KEY})(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{16}}(?![A-Za-z0-9])",
        ACCESS_KEY,
        cues=[f"{prefix}[a-z0-9]{{16}}" for prefix in ("akia", "asia", "abia", "acca")],
    ),
    _secret(
        "an IAM id",
        "|".join(_IAM),
        _START
        + rf"(?!{IAM_ID})A(?:ROA|IDA|GPA|IPA|NPA|NVA|PKA|SCA)[A-Z0-9]{{16,17}}(?![A-Za-z0-9])",
        IAM_ID,
        cues=[f"{prefix}[a-z0-9]{{16}}" for prefix in _IAM],
    ),
    _secret(
        "an account id in an ARN",
        "arn:aws|arn%3aaws",
        rf"({_ARN})(?!{ACCOUNT})\d{{12}}(?!\d)",
        ACCOUNT,
        short=True,
    ),
    _secret(
        "an account id",
        "accountid|bucketowner",
        rf'("(?:bucketOwner|[A-Za-z]*[aA]ccountId)\\*"\s*:\s*\\*")(?!{ACCOUNT})\d{{12}}(?=\\*")',
        ACCOUNT,
        short=True,
    ),
    _secret(
        "a presigned URL's signature",
        "signature|x-amz-|awsaccesskeyid",
        rf"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|{_START}Signature){_IS})"
        rf"(?!REDACTED){_WORD}{{16,}}",
        cues=[
            name + r"(?:=|%3d|\\u003d)" for name in ("signature", "x-amz-[a-z-]+", "awsaccesskeyid")
        ],
    ),
    _secret(
        "a bearer token", "bearer", rf"(?i)({_START}bearer(?: |%20|\+)+)(?!REDACTED){_WORD}{{20,}}"
    ),
    _secret(
        "a basic authorization",
        "authorization",
        r"(?i)(authorization\\*[\"']?\s*(?:[:=]|%3[Aa])\s*\\*[\"']?basic(?: |%20|\+)+)"
        r"(?!REDACTED)(?:[A-Za-z0-9+=_-]|\\?/|%2[BbFf]|%3[Dd]){8,}",
        short=True,
    ),
    _secret(
        "a Bedrock API key",
        "absk|bedrock-api-key-",
        _START
        + r"(?:ABSK(?:[A-Za-z0-9+]|\\?/){40,}=*|bedrock-api-key-(?:[A-Za-z0-9+=_-]|\\?/){20,})",
        cues=[r"absk(?:[a-z0-9+]|\\?/){40}", "bedrock-api-key-"],
    ),
    _secret(
        "a secret access key or session token",
        "secret|session|security",
        rf"(?i)({_LABEL}\\*[\"']?[{SPACES}]*(?:[:=>,|]{{1,2}}|%3[AaDd]|is\b)[{SPACES}]*\\*[\"'`]?)"
        rf"(?!REDACTED){_BASE64}{{40,}}",
        cues=_LABEL_CUES,
    ),
    _secret(
        "a secret access key after its id",
        "akia|asia",
        rf"(A[KS]IA[A-Z0-9]{{16}}(?:\\*[\"']|\\[nrt]|[{SPACES},;|:=]){{1,8}})(?!REDACTED){_BASE64}{{40,}}",
        cues=[r"akia[a-z0-9]{16}", "asia[a-z0-9]{16}"],
    ),
    _secret(
        "a private key",
        "private key",
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END (?:[A-Z]+ )*PRIVATE"
        r" KEY(?: BLOCK)?-----|\Z)",
        cues=["private key(?: block)?-----"],
        short=True,
    ),
    _secret(
        "a password in a URL",
        "://",
        r"([A-Za-z][A-Za-z0-9+.-]{1,20}:(?://|\\/\\/)[^\s/:@\"'<>\\]{0,100}:)(?!REDACTED@)[^\s/@\"'<>\\]{1,200}(?=@[A-Za-z0-9\[])",
        short=True,
        cues=[r":(?://|\\/\\/)[^\s/:@\"'<>\\]{0,100}:[^\s/@\"'<>\\]{1,200}@"],
    ),
    _secret(
        "an Azure key",
        "accountkey|sharedaccesskey",
        rf"(?i)((?:Account|SharedAccess)Key{_IS})(?!REDACTED){_BASE64}{{40,}}",
        cues=[name + r"(?:=|%3d|\\u003d)" for name in ("accountkey", "sharedaccesskey")],
    ),
    _secret(
        "a Slack webhook",
        "hooks.slack.com",
        r"(hooks\.slack\.com\\?/(?:services|workflows|triggers)\\?/)(?:[A-Za-z0-9_-]|\\?/){20,}",
    ),
    _token(
        "a GitHub token",
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        r"(?:gh[pousr]_|github_pat_)",
        "A-Za-z0-9_",
        36,
    ),
    _token(
        "a GitLab token",
        "glpat-|glptt-|gldt-|glrt-|glcbt-",
        r"gl(?:pat|ptt|dt|rt|cbt)-",
        _URL_SAFE,
        20,
    ),
    _token("a Slack token", "xox|xapp", r"(?:xox[abeprs]|xapp)-", "A-Za-z0-9-", 20),
    _token("an OpenAI or Anthropic key", "sk-", "sk-", _URL_SAFE, 32),
    _token("a Google API key", "aiza", "AIza", _URL_SAFE, 35),
    _token("a Google OAuth token", "ya29|gocspx", r"(?:ya29\.|GOCSPX-)", _URL_SAFE, 20),
    _token("a Stripe key", "k_live_", "[rs]k_live_", _ALPHANUMERIC, 20),
    _token("an npm token", "npm_", "npm_", _ALPHANUMERIC, 36),
    _token("a PyPI token", "pypi-age", "pypi-AgE", _URL_SAFE, 40),
    _token("a Hugging Face token", "hf_", "hf_", _ALPHANUMERIC, 30),
    _token("a SendGrid key", "sg.", r"SG\.[A-Za-z0-9_-]{16,64}\.", _URL_SAFE, 16),
    _token("a DigitalOcean token", "_v1_", "do[opr]_v1_", "a-f0-9", 64),
    _token("a Docker token", "dckr_pat_", "dckr_pat_", _URL_SAFE, 20),
    _token("a Databricks token", "dapi", "dapi", "a-f0-9", 32),
    _token(
        "a Shopify token", "shpat_|shpca_|shppa_|shpss_", "shp(?:at|ca|pa|ss)_", "a-fA-F0-9", 32
    ),
    _token("a Vault token", "hvb.|hvs.|hvr.", r"hv[bsr]\.", _URL_SAFE, 24),
    _token("a Groq key", "gsk_", "gsk_", _ALPHANUMERIC, 40),
    _token("a Replicate token", "r8_", "r8_", _ALPHANUMERIC, 36),
    _token("a LangSmith key", "lsv2_", "lsv2_(?:pt|sk)_", "A-Za-z0-9_", 40),
    _token("an age key", "age-secret-key-", "AGE-SECRET-KEY-1", "A-Z0-9", 50),
    _secret(
        "a JSON web token",
        "eyj",
        _START + r"eyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
        cues=[r"eyj[a-z0-9_-]{10,1000}\.eyj"],
    ),
    _personal(
        "email",
        "@",
        "@",
        rf"[\w.+-]{{1,64}}@(?!{_RESERVED})(?:[\w-]{{1,63}}\.)+[A-Za-z]{{2,24}}(?![\w-])",
    ),
    _personal(
        "card",
        "3456",
        ["[3-6][0-9]{3}[ -]?[0-9]{2}"],
        r"(?<![\w.-])[3-6][0-9]{3}(?:[ -]?[0-9]{2,6}){2,4}(?![\w-])",
        _is_card,
        outlines=[b"0000"],
    ),
    _personal(
        "iban",
        _DIGITS,
        ["[a-z]{2}[0-9]{2}(?: ?[a-z0-9]{4}){2}"],
        r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)",
        _is_iban,
        outlines=[b"aa00"],
    ),
    _personal(
        "us-ssn",
        "-",
        ["-[0-9]{2}-[0-9]{4}"],
        r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])",
        outlines=[b"-00-0000"],
    ),
    _personal(
        "phone",
        "+(-.",
        [
            r"\+[1-9][0-9]{0,2}[ .()-]{0,2}[0-9]",
            r"\([2-9][0-9]{2}\) ?[2-9]",
            r"[-.][2-9][0-9]{2}[-.][0-9]{4}",
        ],
        rf"(?<![\w+.-])(?!{_FICTION})(?:\+[1-9][0-9]{{0,2}}(?:[ .()-]{{0,2}}[0-9]){{7,12}}"
        r"|(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4})(?![\w-])",
        outlines=[b"+0", b"(000)", *(b"%c000%c0000" % pair for pair in product(b"-.", b"-."))],
    ),
)
SECRET_HEADER = "secret-header"  # noqa: S105 -- the kind of a header that is secret by its name or its value
OWN = "own-credential"
_NOTHING = re.compile("(?!)")
KINDS = {
    kind.name: kind
    for kind in (
        *_TABLE,
        SecretKind(SECRET_HEADER, "a secret header", (), (), _NOTHING),
        SecretKind(OWN, "a credential of the recorder", (), (), _NOTHING),
    )
}
NAMES = tuple(kind.name for kind in _TABLE)
# What `--redact` may name in place of a pattern. Other personal data is recognised
# by more than a pattern.
PERSONAL = {f"{{{name}}}": KINDS[name].pattern for name in ("email", "phone")}
SECRETS = tuple(kind for kind in _TABLE if not kind.personal)


# -- the credentials of this process ---------------------------------------------------------------

_SHORTEST = 16


def make_own_kind(values: Iterable[str]) -> SecretKind:
    """The kind of these values: plain, escaped in JSON, percent-encoded, and inside base64."""
    forms = [
        form
        for value in sorted(values, key=len, reverse=True)
        if len(value) >= _SHORTEST
        for form in _spell(value)
    ]
    hints = tuple(max(re.findall("[a-z0-9]+", form.lower()), key=len, default="") for form in forms)
    pattern = re.compile("|".join("".join(map(_match_character, form)) for form in forms) or "(?!)")
    return SecretKind(
        OWN, KINDS[OWN].title, hints, tuple(hint.encode() for hint in hints), pattern, short=True
    )


def _spell(value: str) -> Iterator[str]:
    """The value, and for each of three offsets, the characters of base64 that it alone decides."""
    yield value
    for before in range(3):
        word = b64encode(b"\0" * before + value.encode()).decode()
        yield word[4 * (before > 0) : (before + len(value.encode())) // 3 * 4]


def _match_character(character: str) -> str:
    if character.isalnum():
        return character
    code = f"{ord(character):02x}"
    other = {"+": "|-", "/": "|_"}.get(character, "")
    return f"(?:\\\\?{re.escape(character)}|(?i:%{code}|\\\\u00{code}){other})"
