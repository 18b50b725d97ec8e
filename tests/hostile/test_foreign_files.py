"""Another client's file in every place that takes a reference, in every spelling: it does not exist."""

import asyncio
import json
from urllib.parse import quote

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.hostile.surfaces import fields_of, path_of
from tests.integration.native.test_isolation import uploaded
from tests.official_types import StringField
from tests.sizes import some

HOSTS = [
    *(
        "https://generativelanguage.googleapis.com",
        "http://generativelanguage.googleapis.com",
        "https://googleapis.com",
    ),
    *("HTTPS://GENERATIVELANGUAGE.GOOGLEAPIS.COM", "//generativelanguage.googleapis.com", "https://www.googleapis.com"),
    *(
        "https://generativelanguage.googleapis.com:443",
        "https://generativelanguage.googleapis.com.",
        "http://127.0.0.1",
    ),
    *("https://user@generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com\\@x", "gs://bucket"),
    *(
        "https://eu-generativelanguage.googleapis.com",
        "https://generativelanguage.mtls.googleapis.com",
        "file://",
    ),
]
VERSIONS = ["v1beta", "v1", "v1alpha", "V1BETA", "v2", "v1beta/..", "upload/v1beta", "download/v1beta", ""]


def spellings(name: str) -> list[str]:
    """Return ways to write the name of a file; `name` has its collection."""
    bare = name.removeprefix("files/")
    cut = [name, bare, f"/{name}", f"{name}/", f"./{name}", f"x/../{name}", f"files//{bare}", f"{name}:download"]
    more = [f"{name}?x", f"{name}#x", f"{name};x", f" {name}", f"{name} ", f"{name}\n", f"\t{name}", f"{name}\0"]
    cased = [name.upper(), name.title(), f"Files/{bare}", f"\ufeff{name}", f"{name}\u200b", name.replace("/", "\\")]
    coded = [quote(name, safe=""), name.replace("f", "%66"), name.replace("/", "\uff0f"), name.replace("f", "\uff46")]
    below = [f"projects/p/{name}", f"corpora/{name}", f"{name},{name}"]
    plain = [*cut, *more, *cased, *coded, *below]
    return plain + [f"{host}/{version}/{name}".replace("//files", "/files") for host in HOSTS for version in VERSIONS]


REST_PLACES = ["file_id", "chat file_id", "chat url"]
PLACES: list[StringField | str] = [*fields_of("reference"), *REST_PLACES]


def test_the_suite_has_at_least_2_898_cases() -> None:
    assert len(PLACES) * len(set(spellings("files/abc"))) >= 2_898


async def test_no_spelling_of_another_clients_file_reaches_gemini(closed: Closed, emulator: Emulator) -> None:
    alice, bob = await closed.key("alice"), await closed.key("bob")
    name = (await uploaded(closed, alice, b"alice's own words"))["name"]
    bare = name.removeprefix("files/")
    cases = some([(place, spelling) for place in PLACES for spelling in dict.fromkeys(spellings(name))], 200)
    limit = asyncio.Semaphore(8)

    async def ask(number: int) -> int:
        place, spelling = cases[number]
        async with limit:
            if isinstance(place, StringField):
                answer = await closed.call("POST", path_of(place.policy) or "", bob, json=place.document(spelling))
            elif place == "file_id":
                form = [("file_id", (None, spelling)), ("prompt", (None, "Read it"))]
                answer = await closed.call("POST", "/api/v1/generate", bob, files=form)
            else:
                part = {place.removeprefix("chat "): spelling, "mime_type": "text/plain"}
                body = {"messages": [{"role": "user", "content": [part]}]}
                answer = await closed.call("POST", "/api/v1/chat", bob, json=body)
        return int(answer.status_code)

    passed = []
    for start in range(0, len(cases), 50):
        batch = range(start, min(start + 50, len(cases)))
        statuses = await asyncio.gather(*map(ask, batch))
        passed += [cases[number] for number, status in zip(batch, statuses, strict=True) if not 400 <= status < 500]
        asked = [call for call in emulator.journal if not call["operation"].startswith("files.")]
        assert bare.lower() not in json.dumps(asked).lower()
    assert passed == []
    assert (await closed.call("GET", f"/v1beta/{name}", alice)).status_code == 200
