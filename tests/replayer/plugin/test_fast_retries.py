"""SDKs that retry without waiting: every attempt is a call, and nothing sleeps."""

import pytest

from support.runs import Run, runs

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs(pytester, monkeypatch)


_CODE = """
    import asyncio, time, anyio

    MESSAGES = [{"role": "user", "content": "hi"}]

    def boto3_with(mode):
        return lambda bedrock: ask(bedrock.client(config=Config(retries={"mode": mode, "total_max_attempts": 3})), "hi")

    def openai_client(bedrock):
        from openai import OpenAI
        client = OpenAI(base_url=f"{bedrock.url}/openai/v1", api_key="a")
        client.chat.completions.create(model="openai.gpt-oss-120b-1:0", messages=MESSAGES)

    def openai_async(bedrock):
        from openai import AsyncOpenAI
        client = AsyncOpenAI(base_url=f"{bedrock.url}/openai/v1", api_key="a")
        asyncio.run(client.chat.completions.create(model="openai.gpt-oss-120b-1:0", messages=MESSAGES))

    def anthropic(bedrock):
        from anthropic import AnthropicBedrock
        client = AnthropicBedrock(base_url=bedrock.url, aws_access_key="a", aws_secret_key="b", aws_region="us-east-1")
        client.messages.create(model="anthropic.claude-3-haiku-20240307-v1:0", max_tokens=9, messages=MESSAGES)

    CLIENTS = {"legacy": boto3_with("legacy"), "standard": boto3_with("standard"), "adaptive": boto3_with("adaptive"),
               "openai": openai_client, "openai, async": openai_async, "anthropic": anthropic}

    @pytest.fixture
    def slept(monkeypatch):
        waits = []
        sleep = time.sleep
        monkeypatch.setattr(time, "sleep", lambda seconds: seconds and waits.append(seconds))

        async def sleep_async(seconds):
            if seconds:
                waits.append(seconds)

        monkeypatch.setattr(anyio, "sleep", sleep_async)
        return waits
"""


@pytest.mark.slow
def test_no_client_waits_and_every_attempt_is_a_call(run: Run) -> None:
    """Waits of all retry modes of boto3, and of the clients of OpenAI and Anthropic, also
    after a retry-after header.
    """
    code = (
        _CODE
        + """
    @pytest.mark.parametrize("name", CLIENTS)
    def test_fast(bedrock, slept, name):
        bedrock.fast_retries()
        bedrock.respond(text="at last")
        bedrock.fail("ThrottlingException", times=2, retry_after_ms=4000)
        CLIENTS[name](bedrock)
        assert slept == []
        assert [call.status for call in bedrock.calls] == [429, 429, 200]
        assert bedrock.verdict == ()

    @pytest.mark.bedrock(fast_retries=True)
    def test_marked(bedrock, slept):
        bedrock.respond(text="at last")
        bedrock.fail("ThrottlingException")
        CLIENTS["standard"](bedrock)
        assert slept == []

    @pytest.mark.parametrize("name", CLIENTS)
    def test_slow(bedrock, slept, name):
        bedrock.respond(text="at last")
        bedrock.fail("ThrottlingException", retry_after_ms=2000)
        CLIENTS[name](bedrock)
        assert slept
        assert bedrock.verdict or name != "standard"
    """
    )
    run({"test_it.py": code}).assert_outcomes(passed=13)


def test_a_setting_makes_all_tests_fast(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "pyproject.toml").write_text("[tool.bedtape.pytest]\nfast-retries = true\n")
    code = (
        _CODE
        + """
    def test_fast(bedrock, slept):
        bedrock.respond(text="at last")
        bedrock.fail("ThrottlingException")
        CLIENTS["standard"](bedrock)
        assert slept == []

    @pytest.mark.bedrock(fast_retries=False)
    def test_slow(bedrock, slept):
        bedrock.respond(text="at last")
        bedrock.fail("ThrottlingException")
        CLIENTS["standard"](bedrock)
        assert slept
    """
    )
    run({"test_it.py": code}).assert_outcomes(passed=2)
