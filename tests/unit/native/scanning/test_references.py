"""Canonical names and addresses of stored objects, and the URLs that a reference field may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.scanning import ObjectKind, Reference, Url, UrlKind, canonical
from app.native.scanning.references import url_of
from tests.unit.native.scanning.scans import GOOGLE, OWN


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("files/abc", ObjectKind.FILE, "abc"),
        ("files/a-1", ObjectKind.FILE, "a-1"),
        ("files/" + "a" * 40, ObjectKind.FILE, "a" * 40),
        ("files/batch-Ab_1", ObjectKind.FILE, "batch-Ab_1"),
        ("cachedContents/c1", ObjectKind.CACHE, "c1"),
        ("batches/b-1", ObjectKind.BATCH, "b-1"),
        ("interactions/v1_Abc", ObjectKind.INTERACTION, "v1_Abc"),
        ("fileSearchStores/s-1/documents/d", ObjectKind.STORE, "s-1/documents/d"),
        ("tunedModels/t", ObjectKind.TUNED, "t"),
        ("operations/o", ObjectKind.OPERATION, "operations/o"),
        ("models/m-1.5/operations/o", ObjectKind.OPERATION, "models/m-1.5/operations/o"),
        ("fileSearchStores/s/operations/o", ObjectKind.OPERATION, "fileSearchStores/s/operations/o"),
    ],
)
def test_a_canonical_name_is_a_reference(text: str, kind: ObjectKind, name: str) -> None:
    found = canonical(text, OWN)

    assert found == Reference(kind, name)
    assert found.canonical_name == text


@pytest.mark.parametrize("base", [GOOGLE, *OWN])
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_a_files_address_is_a_reference_on_either_host(base: str, version: str) -> None:
    assert canonical(f"{base}/{version}/files/abc", OWN) == Reference(ObjectKind.FILE, "abc", is_uri=True)


NO_REFERENCES = [
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
    "files/\u0661bc",
    "v1beta/files/abc",
    "/v1beta/files/abc",
    "cachedcontents/x",
    "CachedContents/x",
    f"{GOOGLE}/v1beta/files/ABC",
    f"{GOOGLE}/v1beta/files/abc?key=x",
    f"{GOOGLE}/v1beta/files/abc#x",
    f"{GOOGLE}/v1beta//files/abc",
    f"{GOOGLE}/x/v1beta/files/abc",
    f"{GOOGLE}/v1beta/files/abc:download?alt=media",
    f"{GOOGLE}/v1beta/cachedContents/c",
    f"{GOOGLE}:443/v1beta/files/abc",
    f"{GOOGLE}./v1beta/files/abc",
    "http://generativelanguage.googleapis.com/v1beta/files/abc",
    "HTTPS://generativelanguage.googleapis.com/v1beta/files/abc",
    "https://GENERATIVELANGUAGE.googleapis.com/v1beta/files/abc",
    "https://user@generativelanguage.googleapis.com/v1beta/files/abc",
    "//generativelanguage.googleapis.com/v1beta/files/abc",
    "https:\\\\generativelanguage.googleapis.com\\v1beta\\files\\abc",
    "http://127.0.0.1:8000/v1beta/files/abc/",
    "http://127.0.0.1:8000/V1beta/files/abc",
    "HTTP://127.0.0.1:8000/v1beta/files/abc",
    "http://user@127.0.0.1:8000/v1beta/files/abc",
    "https://gate.example/v1beta/files/abc",
    "abc",
    "",
]


@pytest.mark.parametrize("text", NO_REFERENCES)
def test_any_other_spelling_is_no_reference_and_no_url(text: str) -> None:
    assert canonical(text, OWN) is None
    assert url_of(text, OWN) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://www.youtube.com/watch?v=abc", UrlKind.YOUTUBE),
        ("https://youtube.com/watch?v=abc&t=1", UrlKind.YOUTUBE),
        ("https://youtu.be/abc", UrlKind.YOUTUBE),
        ("https://m.youtube.com/shorts/abc", UrlKind.YOUTUBE),
        ("https://example.com/a.png", UrlKind.HTTPS),
        ("https://example.com:443/a", UrlKind.HTTPS),
        ("https://example.com", UrlKind.HTTPS),
        ("https://example.com?a=1", UrlKind.HTTPS),
        ("https://evil.example/youtube.com/watch?v=1", UrlKind.HTTPS),
        ("https://example.com/files/a.png", UrlKind.HTTPS),
        ("https://cdn.example.com/operations/x.png", UrlKind.HTTPS),
        ("https://example.com/googleapis-logo.png", UrlKind.HTTPS),
        ("https://storage.googleapis.com/b/files/o", UrlKind.HTTPS),
        ("https://firebasestorage.googleapis.com/v0/b/x/o/y.png?alt=media&token=1-2", UrlKind.HTTPS),
        ("https://my-bucket.s3.amazonaws.com/files/a.png?X-Amz-Signature=0a", UrlKind.HTTPS),
        ("data:image/png;base64,AAAA", UrlKind.DATA),
        ("gs://bucket/object", UrlKind.OTHER),
        ("http://example.com/a.png", UrlKind.OTHER),
        ("ftp://example.com/a", UrlKind.OTHER),
        ("file:///etc/passwd", UrlKind.OTHER),
    ],
)
def test_urls_are_told_apart(text: str, kind: UrlKind) -> None:
    assert canonical(text, OWN) is None
    assert url_of(text, OWN) == Url(kind)


@pytest.mark.parametrize(
    "text",
    [
        f"{GOOGLE}/x",
        GOOGLE,
        "https://us-generativelanguage.googleapis.com/v1beta/files/abc",
        "https://autopush-generativelanguage.sandbox.googleapis.com/v1beta/files/abc",
        "http://127.0.0.1:8000/x",
        "https://gate.example/x",
        "https://GATE.example/prefix/v1beta/files/abc?x",
        "https://example.com:8443/a",
        "https://user:pw@example.com/a",
        " https://example.com/a",
        "HTTPS://example.com/a",
        "//example.com/a",
        "Data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://exa\u200bmple.com/a",
        "https://example.com/a b",
    ],
)
def test_other_addresses_are_neither(text: str) -> None:
    assert canonical(text, OWN) is None
    assert url_of(text, OWN) is None


@given(st.text(max_size=60))
def test_a_canonical_name_has_one_spelling(text: str) -> None:
    found = canonical(text, OWN)

    assert found is None or found.is_uri or found.canonical_name == text
