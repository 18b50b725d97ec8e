"""The JavaScript program's results, direct and through the gateway, in Node or in a page: equal, and as documented."""

from typing import Any

from tests.contract.seen import same


def check_seen(seen: Any, through: Any) -> None:
    """Check that both results are equal, and are those of every documented call."""
    # The answer repeats a file's name, which differs in length at Gemini: its tokens do too.
    for each in (seen, through):
        each["answer"]["usage"] = each["answer"]["usage"]["promptTokensDetails"]
    assert same(through) == same(seen)
    assert seen["uploaded"] == {"state": "ACTIVE", "mimeType": "application/pdf", "sizeBytes": "2639"}
    assert seen["large"] == {
        "name": "files/spaces-of-the-tests",
        "sizeBytes": str(20 * 1024 * 1024),
        "displayName": "spaces",
    }
    assert seen["got"] is True
    assert seen["listed"] == 2
    assert "Quarterly report" in seen["answer"]["text"]
    assert "red rectangle" in seen["answer"]["text"]
    assert seen["answer"]["finish"] == "STOP"
    assert {each["modality"] for each in seen["answer"]["usage"]} == {"TEXT", "IMAGE", "DOCUMENT"}
    assert seen["structured"]["n"] >= 3
    assert len(seen["chunks"]) > 1
    assert len({chunk["id"] for chunk in seen["chunks"]}) == 1
    assert "Two" in seen["chat"]
    assert seen["tokens"] > 0
    assert seen["embeddings"][0] > 0
    assert "models/gemini-3.8-flash" in seen["models"]
    assert seen["model"] == "models/gemini-3.5-flash"
    assert seen["left"] == 0
    assert "prompt: Hello live" in seen["live"]["text"]
    assert seen["live"]["tokens"] > 0
    assert "prompt: Why?" in seen["cached"]["text"]
    assert seen["cached"]["usage"]["cachedContentTokenCount"] == 2
    assert seen["batch"]["state"] == "JOB_STATE_SUCCEEDED"
    assert seen["batch"]["text"].endswith("prompt: One")
    assert seen["call"]["name"] == "weather"
    assert seen["interaction"]["first"] == "completed"
    assert seen["interaction"]["text"].endswith("earlier turns: 2\nprompt: Two")
    assert seen["interaction"]["events"][0] == "interaction.created"
    assert seen["interaction"]["events"][-1] == "interaction.completed"
    assert seen["interaction"]["gone"]["status"] == 404
    assert seen["errors"]["model"]["status"] == 404
    assert seen["errors"]["file"]["status"] == 403
    assert seen["errors"]["stream"]["status"] == 404
