import pytest

from emulator_tests.integration.calls import Emulator, error_of

CURRENT = {
    "gemini-3.8-flash",
    "gemini-3.7-flash",
    "gemini-3.6-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-flash-lite",
    "gemini-3.1-pro-preview",
    "gemini-3.1-pro-preview-customtools",
    "gemini-3-flash-preview",
    "gemini-4-argon",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
    "gemini-4-neon",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-flash-latest",
    "gemini-flash-lite-latest",
    "gemini-pro-latest",
    "gemini-3-pro-image",
    "gemini-3.1-flash-image",
    "gemini-3.1-flash-lite-image",
    "gemini-nano-banana-2.1",
    "gemini-2.5-flash-image",
    "gemini-3.8-flash-tts",
    "gemini-3.8-flash-lite-tts",
    "gemini-3.8-live",
    "gemini-3.8-live-extended-thinking",
    "gemini-3.5-transcribe",
    "gemini-embedding-2",
    "gemini-embedding-001",
}


def test_all_models_are_listed(emulator: Emulator) -> None:
    answer = emulator.http.get("/v1beta/models").json()

    assert {model["name"] for model in answer["models"]} == {f"models/{name}" for name in CURRENT}
    assert "nextPageToken" not in answer


def test_the_list_is_paged(emulator: Emulator) -> None:
    first = emulator.http.get("/v1/models", params={"pageSize": 6}).json()
    second = emulator.http.get("/v1/models", params={"pageSize": 1000, "pageToken": first["nextPageToken"]}).json()

    assert (len(first["models"]), len(second["models"])) == (6, len(CURRENT) - 6)
    assert "nextPageToken" not in second


def test_a_model_is_described_as_in_the_reference(emulator: Emulator) -> None:
    model = emulator.http.get("/v1alpha/models/gemini-3.8-flash").json()

    assert model["name"] == "models/gemini-3.8-flash"
    assert (model["inputTokenLimit"], model["outputTokenLimit"]) == (1_048_576, 65_536)
    assert {"generateContent", "countTokens"} <= set(model["supportedGenerationMethods"])
    assert model["thinking"] is True


@pytest.mark.parametrize("name", ["gemini-2.0-flash", "gemini-1.5-pro", "no-such-model"])
def test_retired_and_unknown_models_get_the_recorded_answer(emulator: Emulator, name: str) -> None:
    answer = emulator.generate("Hi", model=name)

    assert error_of(answer) == (
        404,
        "NOT_FOUND",
        f"models/{name} is not found for API version v1beta, or is not supported for generateContent. "
        "Call ListModels to see the list of available models and their supported methods.",
    )
    assert answer.json()["error"]["details"][0]["@type"] == "type.googleapis.com/google.rpc.DebugInfo"
    assert emulator.http.get(f"/v1beta/models/{name}").status_code == 404


def test_there_are_no_tuned_models(emulator: Emulator) -> None:
    assert emulator.http.get("/v1beta/tunedModels").json() == {}


@pytest.mark.parametrize("token", ["nonsense", "LTE="])
def test_a_page_token_that_is_none_gives_no_models(emulator: Emulator, token: str) -> None:
    answer = emulator.http.get("/v1beta/models", params={"pageToken": token}).json()

    assert not answer.get("models")
