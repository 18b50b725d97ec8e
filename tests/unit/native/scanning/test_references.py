"""What a string refers to: canonical names alone are references, look-alikes are unusable, words are nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.scanning import Kind, Reference, Unusable, Url, UrlKind, classify

OWN = ("http://127.0.0.1:8000", "https://gate.example/prefix")
GOOGLE = "https://generativelanguage.googleapis.com"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("files/abc", Kind.FILE, "abc"),
        ("files/a-1", Kind.FILE, "a-1"),
        ("files/" + "a" * 40, Kind.FILE, "a" * 40),
        ("files/batch-Ab_1", Kind.FILE, "batch-Ab_1"),
        ("cachedContents/c1", Kind.CACHE, "c1"),
        ("batches/b-1", Kind.BATCH, "b-1"),
        ("interactions/v1_Abc", Kind.INTERACTION, "v1_Abc"),
        ("fileSearchStores/s-1/documents/d", Kind.STORE, "s-1/documents/d"),
        ("tunedModels/t", Kind.TUNED, "t"),
        ("operations/o", Kind.OPERATION, "operations/o"),
        ("models/m-1.5/operations/o", Kind.OPERATION, "models/m-1.5/operations/o"),
    ],
)
def test_canonical_names_are_references(text: str, kind: Kind, name: str) -> None:
    assert classify(text, OWN) == Reference(kind, name)


@pytest.mark.parametrize("base", [GOOGLE, *OWN])
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_a_files_address_is_known_on_either_host(base: str, version: str) -> None:
    assert classify(f"{base}/{version}/files/abc", OWN) == Reference(Kind.FILE, "abc", is_uri=True)


@pytest.mark.parametrize(
    "text",
    [
        "Files/abc",
        "FILES/ABC",
        "files/ABC",
        "files/abc-",
        "files/-abc",
        "files/" + "a" * 41,
        "files/abc/",
        "files//abc",
        "/files/abc",
        "./files/abc",
        "x/../files/abc",
        "files/../files/abc",
        "files%2fabc",
        "files%2Fabc",
        "files%252fabc",
        "%66iles/abc",
        "files/abc?x",
        "files/abc#x",
        "files\\abc",
        " files/abc",
        "files/abc\n",
        "fi\tles/abc",
        "files/a\u200bbc",
        "\uff46iles/abc",
        "files\uff0fabc",
        "v1beta/files/abc",
        "/v1beta/files/abc",
        "cachedcontents/x",
        "CachedContents/x",
        f"{GOOGLE}/v1beta/files/ABC",
        f"{GOOGLE}/v1beta/files/abc?key=x",
        f"{GOOGLE}/v1beta/files/abc#x",
        f"{GOOGLE}/v1beta//files/abc",
        f"{GOOGLE}/v1beta/files/abc:download?alt=media",
        f"{GOOGLE}/v1beta/cachedContents/c",
        f"{GOOGLE}:443/v1beta/files/abc",
        f"{GOOGLE}./v1beta/files/abc",
        "http://generativelanguage.googleapis.com/v1beta/files/abc",
        "HTTPS://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://GENERATIVELANGUAGE.googleapis.com/v1beta/files/abc",
        "https://user@generativelanguage.googleapis.com/v1beta/files/abc",
        "https://evil.example/v1beta/files/abc",
        "//generativelanguage.googleapis.com/v1beta/files/abc",
        "https:\\\\generativelanguage.googleapis.com\\v1beta\\files\\abc",
        "http://127.0.0.1:8001/v1beta/files/abc",
    ],
)
def test_what_looks_like_one_is_unusable(text: str) -> None:
    assert isinstance(classify(text, OWN), Unusable)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://www.youtube.com/watch?v=abc", UrlKind.YOUTUBE),
        ("https://youtube.com/watch?v=abc&t=1", UrlKind.YOUTUBE),
        ("https://youtu.be/abc", UrlKind.YOUTUBE),
        ("https://m.youtube.com/shorts/abc", UrlKind.YOUTUBE),
        ("https://example.com/a.png", UrlKind.HTTPS),
        ("https://example.com:443/a", UrlKind.HTTPS),
        ("https://evil.example/youtube.com/watch?v=1", UrlKind.HTTPS),
        ("data:image/png;base64,AAAA", UrlKind.DATA),
        ("gs://bucket/object", UrlKind.OTHER),
        ("http://example.com/a.png", UrlKind.OTHER),
        ("ftp://example.com/a", UrlKind.OTHER),
        ("file:///etc/passwd", UrlKind.OTHER),
        ("https://example.com:8443/a", UrlKind.OTHER),
        ("https://user:pw@example.com/a", UrlKind.OTHER),
        (" https://example.com/a", UrlKind.OTHER),
        ("HTTPS://example.com/a", UrlKind.OTHER),
        ("//example.com/a", UrlKind.OTHER),
    ],
)
def test_addresses_are_told_apart(text: str, kind: UrlKind) -> None:
    assert classify(text, OWN) == Url(kind)


@pytest.mark.parametrize("text", [f"{GOOGLE}/x", "https://storage.googleapis.com/b/o", "http://127.0.0.1:8000/x"])
def test_nobody_is_asked_for_what_else_these_hosts_have(text: str) -> None:
    assert isinstance(classify(text, OWN), Unusable)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "image/png", "models/gemini-3.8-flash", "application/json", "AUDIO", "1.5s", "en-US", "a/b/c", "r1"],
)
def test_words_refer_to_nothing(text: str) -> None:
    assert classify(text, OWN) is None


@given(st.text(max_size=40))
def test_any_text_is_classified(text: str) -> None:
    found = classify(text)

    assert found is None or isinstance(found, Reference | Url | Unusable)
