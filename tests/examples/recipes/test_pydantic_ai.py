"""Pydantic AI: an agent with a typed result, which asks again if the result does not fit."""

from pydantic import BaseModel, Field
from pydantic_ai import Agent
from pydantic_ai.models.bedrock import BedrockConverseModel

from bedtape_replayer import Bedrock


class Rating(BaseModel):
    """The rating of a review."""

    stars: int = Field(ge=1, le=5)


def rate(review: str) -> int:
    agent = Agent(BedrockConverseModel("us.amazon.nova-lite-v1:0"), output_type=Rating)
    return agent.run_sync(review).output.stars


def test_a_rating(bedrock: Bedrock) -> None:
    bedrock.respond("fine", tool={"name": "final_result", "input": {"stars": 4}})
    assert rate("fine mug") == 4


def test_a_rating_out_of_bounds_is_asked_again(bedrock: Bedrock) -> None:
    bedrock.respond(
        answers=[
            {"tool": {"name": "final_result", "input": {"stars": 9}}},
            {"tool": {"name": "final_result", "input": {"stars": 5}}},
        ]
    )
    assert rate("the best mug") == 5
    assert "less than or equal to 5" in bedrock.calls[1].tool_results[0].text
