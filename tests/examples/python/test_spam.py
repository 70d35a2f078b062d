from spam import MODELS, file

from bedtape_replayer import Bedrock

WIN = "You have won! Send us your card number."


def test_mail_goes_where_the_model_says(bedrock: Bedrock) -> None:
    bedrock.respond("card number", json={"label": "spam", "confidence": 0.98})
    bedrock.respond("Lunch", text='Sure: {"label": "ham", "confidence": 0.93}')
    assert [file(WIN), file("Lunch at noon?")] == ["spam", "inbox"]
    bedrock.assert_called("classify spam", times=2)


def test_a_person_looks_at_what_is_borderline_or_cannot_be_read(bedrock: Bedrock) -> None:
    bedrock.respond(
        "classify spam", answers=[{"json": {"label": "spam", "confidence": 0.55}}, "I cannot say."]
    )
    assert [file(WIN), file(WIN)] == ["review", "review"]


def test_throttled_twice_it_backs_off_and_files_the_mail(bedrock: Bedrock) -> None:
    bedrock.respond("classify spam", json={"label": "spam", "confidence": 0.98})
    bedrock.fail("ThrottlingException", times=2)
    assert file(WIN) == "spam"
    assert [call.status for call in bedrock.calls] == [429, 429, 200]


def test_where_a_model_is_dead_a_cheaper_one_answers(bedrock: Bedrock) -> None:
    bedrock.respond("classify spam", json={"label": "spam", "confidence": 0.9})
    bedrock.fail("ServiceUnavailableException", model=MODELS[0], times=99)
    assert file(WIN) == "spam"
    bedrock.assert_called(model=MODELS[0], status=503, times=3)
    bedrock.assert_called(model=MODELS[1], status=200, times=1)
