"""The types of a guardrail's policy for type checkers. A test compares them with the schema.

The names of members are those of the request of CreateGuardrail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Required, TypeAlias, TypedDict

Blocking: TypeAlias = Literal["BLOCK", "NONE"]
Masking: TypeAlias = Literal["BLOCK", "ANONYMIZE", "NONE"]
Strength: TypeAlias = Literal["NONE", "LOW", "MEDIUM", "HIGH"]
FilterType: TypeAlias = Literal[
    "HATE", "INSULTS", "MISCONDUCT", "PROMPT_ATTACK", "SEXUAL", "VIOLENCE"
]
PiiType: TypeAlias = Literal[
    "ADDRESS",
    "AGE",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "CA_HEALTH_NUMBER",
    "CA_SOCIAL_INSURANCE_NUMBER",
    "CREDIT_DEBIT_CARD_CVV",
    "CREDIT_DEBIT_CARD_EXPIRY",
    "CREDIT_DEBIT_CARD_NUMBER",
    "DRIVER_ID",
    "EMAIL",
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
    "IP_ADDRESS",
    "LICENSE_PLATE",
    "MAC_ADDRESS",
    "NAME",
    "PASSWORD",
    "PHONE",
    "PIN",
    "SWIFT_CODE",
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER",
    "UK_NATIONAL_INSURANCE_NUMBER",
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
    "URL",
    "USERNAME",
    "US_BANK_ACCOUNT_NUMBER",
    "US_BANK_ROUTING_NUMBER",
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER",
    "US_PASSPORT_NUMBER",
    "US_SOCIAL_SECURITY_NUMBER",
    "VEHICLE_IDENTIFICATION_NUMBER",
]


class _Sides(TypedDict, total=False):
    """Whether an item of a policy is evaluated on prompts and on answers."""

    inputEnabled: bool
    outputEnabled: bool


class _Blocks(_Sides, total=False):
    inputAction: Blocking
    outputAction: Blocking


class _Masks(_Sides, total=False):
    action: Masking
    inputAction: Masking
    outputAction: Masking


class TopicDict(_Blocks, total=False):
    """A denied topic. patterns: regular expressions, bedtape's own member."""

    name: Required[str]
    definition: str
    examples: Sequence[str]
    type: Literal["DENY"]
    patterns: Sequence[str]


class TopicPolicyDict(TypedDict, total=False):
    """Denied topics."""

    topicsConfig: Sequence[TopicDict]
    tierConfig: Any


class ContentWordsDict(TypedDict, total=False):
    """Words by the confidence of a text that contains them."""

    LOW: Sequence[str]
    MEDIUM: Sequence[str]
    HIGH: Sequence[str]


class ContentFilterDict(_Blocks, total=False):
    """A content filter. words: bedtape's own member."""

    type: Required[FilterType]
    inputStrength: Strength
    outputStrength: Strength
    inputModalities: Sequence[str]
    outputModalities: Sequence[str]
    words: ContentWordsDict


class ContentPolicyDict(TypedDict, total=False):
    """Content filters."""

    filtersConfig: Sequence[ContentFilterDict]
    tierConfig: Any


class WordDict(_Blocks, total=False):
    """A denied word or phrase."""

    text: Required[str]


class ManagedWordsDict(_Blocks, total=False):
    """A managed word list."""

    type: Required[Literal["PROFANITY"]]


class WordPolicyDict(TypedDict, total=False):
    """Denied words."""

    wordsConfig: Sequence[WordDict]
    managedWordListsConfig: Sequence[ManagedWordsDict]


class PiiEntityDict(_Masks, total=False):
    """A kind of sensitive information. matches: texts of this kind, bedtape's own member."""

    type: Required[PiiType]
    matches: Sequence[str]


class RegexDict(_Masks, total=False):
    """A pattern of sensitive information."""

    name: Required[str]
    pattern: Required[str]
    description: str


class SensitivePolicyDict(TypedDict, total=False):
    """Sensitive information."""

    piiEntitiesConfig: Sequence[PiiEntityDict]
    regexesConfig: Sequence[RegexDict]


class GroundingDict(TypedDict, total=False):
    """A filter for contextual grounding. score: of every answer, bedtape's own member."""

    type: Required[Literal["GROUNDING", "RELEVANCE"]]
    threshold: Required[float]
    action: Blocking
    enabled: bool
    score: float


class GroundingPolicyDict(TypedDict, total=False):
    """Contextual grounding."""

    filtersConfig: Sequence[GroundingDict]
    tierConfig: Any


class GuardrailDict(TypedDict, total=False):
    """A guardrail's policy."""

    name: str
    description: str
    blockedInputMessaging: str
    blockedOutputsMessaging: str
    topicPolicyConfig: TopicPolicyDict
    contentPolicyConfig: ContentPolicyDict
    wordPolicyConfig: WordPolicyDict
    sensitiveInformationPolicyConfig: SensitivePolicyDict
    contextualGroundingPolicyConfig: GroundingPolicyDict


GuardrailsDict: TypeAlias = Mapping[str, GuardrailDict]
