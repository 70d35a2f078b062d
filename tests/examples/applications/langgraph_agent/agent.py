"""An agent of LangGraph that looks into orders, and asks a person before it pays money back."""

from typing import Annotated, Any, TypedDict

from langchain_aws import ChatBedrockConverse
from langchain_core.messages import AnyMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ORDERS = {
    "A17": {"item": "blue mug", "status": "delivered"},
    "B4": {"item": "red mug", "status": "on its way"},
}


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    refunds: list[str]


@tool
def get_order(order: str) -> dict[str, str]:
    """The item and the status of an order."""
    return ORDERS.get(order, {"status": "unknown"})


@tool
def refund(order: str) -> str:
    """Pay the price of an order back."""
    return f"{order} is to be paid back; a person looks at it first"


TOOLS = {each.name: each for each in (get_order, refund)}


def think(state: State) -> dict[str, Any]:
    model = ChatBedrockConverse(model=MODEL).bind_tools(list(TOOLS.values()))
    return {
        "messages": [
            model.invoke([SystemMessage("You help customers of a shop."), *state["messages"]])
        ]
    }


def act(state: State) -> dict[str, Any]:
    calls = state["messages"][-1].tool_calls  # type: ignore[union-attr]
    results: list[ToolMessage] = [TOOLS[call["name"]].invoke(call) for call in calls]
    return {
        "messages": results,
        "refunds": state["refunds"]
        + [call["args"]["order"] for call in calls if call["name"] == "refund"],
    }


def build() -> Any:
    graph = StateGraph(State)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_edge(START, "think")
    graph.add_conditional_edges(
        "think", lambda state: "act" if state["messages"][-1].tool_calls else END
    )
    graph.add_edge("act", "think")
    return graph.compile()


def run(question: str) -> State:
    state: State = build().invoke(
        {"messages": [("user", question)], "refunds": []}, {"recursion_limit": 8}
    )
    return state


def stream(question: str) -> str:
    """Returns the text of the answer, collected from the pieces as they come."""
    pieces = build().stream(
        {"messages": [("user", question)], "refunds": []}, stream_mode="messages"
    )
    return "".join(piece.text for piece, _ in pieces if piece.type == "AIMessageChunk")
