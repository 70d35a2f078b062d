"""VCR.py in the same test: another service from VCR.py, Bedrock from bedtape."""

from pathlib import Path
from urllib.request import urlopen

import boto3
import vcr

from bedtape_replayer import Bedrock

CASSETTE = """
interactions:
- request: {body: null, headers: {}, method: GET, uri: 'https://weather.example/oslo'}
  response: {body: {string: rain}, headers: {}, status: {code: 200, message: OK}}
version: 1
"""


def advise() -> str:
    with urlopen("https://weather.example/oslo") as forecast:
        weather = forecast.read().decode()
    answer = boto3.client("bedrock-runtime").converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": f"What to wear in {weather}?"}]}],
    )
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


def test_both_answer(bedrock: Bedrock, tmp_path: Path) -> None:
    (tmp_path / "weather.yaml").write_text(CASSETTE)
    bedrock.respond("rain", text="A raincoat.")
    with vcr.use_cassette(tmp_path / "weather.yaml", record_mode="none") as cassette:
        assert advise() == "A raincoat."
        assert cassette.play_count == 1  # Bedrock's call is not in the cassette
    bedrock.assert_called("What to wear in rain?", times=1)
