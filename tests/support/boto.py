"""A boto3 client for a server of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.client import BedrockRuntimeClient


def boto3_client(url: str, **config: Any) -> BedrockRuntimeClient:
    """Returns a client that signs with keys, also if the environment contains a bearer token."""
    session = boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )
    return session.client(
        "bedrock-runtime", endpoint_url=url, config=Config(signature_version="v4", **config)
    )
