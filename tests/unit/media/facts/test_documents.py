import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.media.facts import MediaFacts, read_facts
from app.media.facts.documents import count_pages
from tests.unit.media.recordings import media

LINEARIZED = b"%%PDF-1.6\n1 0 obj\n<< /Linearized 1 /L 51423 /H [ 800 120 ] /O 12 /E 4000 /N %d /T 51000 >>\nendobj\n"


def test_a_whole_document_is_counted() -> None:
    assert read_facts(media("report.pdf"), "application/pdf", is_whole=True) == MediaFacts(pages=3)


def test_a_head_is_not_counted() -> None:
    assert read_facts(media("report.pdf")[:1500], "application/pdf", is_whole=False) == MediaFacts()


def test_a_linearized_document_states_its_pages_in_its_head() -> None:
    assert read_facts(LINEARIZED % 12, "application/pdf", is_whole=False) == MediaFacts(pages=12)


@pytest.mark.parametrize(
    "head",
    [
        LINEARIZED % 0,
        b"%PDF-1.6\n1 0 obj << /Linearized 1 /L 1 >>",
        b"%PDF-1.6\n1 0 obj << /Count 7 /N 4 >>",
        b"%PDF-1.6" + bytes(1020) + LINEARIZED % 12,
    ],
)
def test_a_head_without_a_page_count_gives_none(head: bytes) -> None:
    assert read_facts(head, "application/pdf", is_whole=False) == MediaFacts()


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"%PDF-1.7\ntrailer <<>>\n%%EOF", bytes(5000)])
def test_a_broken_document_has_no_pages(data: bytes) -> None:
    assert read_facts(data, "application/pdf", is_whole=True) == MediaFacts()


def test_a_document_of_any_size_is_counted_where_time_is_limited() -> None:
    large = media("report.pdf") + b"\n%" + b"x" * 70_000

    assert read_facts(large, "application/pdf", is_whole=True) == MediaFacts()
    assert count_pages(media("report.pdf")) == count_pages(large) == 3


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"%PDF-1.7\ntrailer <<>>\n%%EOF", bytes(5000)])
def test_a_broken_document_cannot_be_counted(data: bytes) -> None:
    assert count_pages(data) is None


def test_an_encrypted_document_cannot_be_counted() -> None:
    before, trailer, rest = media("report.pdf").rpartition(b"trailer\n<<")
    cipher = b"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <%b> /U <%b> >>" % (b"11" * 32, b"22" * 32)

    assert count_pages(before + trailer + cipher + rest) is None


def test_threads_may_count_at_once() -> None:
    data, start = media("report.pdf"), threading.Barrier(4)

    def count(_: int) -> set[int | None]:
        start.wait()
        return {read_facts(data, "application/pdf", is_whole=True).pages for _ in range(50)}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(4))) == [{3}] * 4
