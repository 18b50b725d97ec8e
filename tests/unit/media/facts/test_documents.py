import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.media.facts import Facts, read_facts
from tests.unit.media.recordings import media

LINEARIZED = b"%%PDF-1.6\n1 0 obj\n<< /Linearized 1 /L 51423 /H [ 800 120 ] /O 12 /E 4000 /N %d /T 51000 >>\nendobj\n"


def test_a_whole_document_is_counted() -> None:
    assert read_facts(media("report.pdf"), "application/pdf", is_whole=True) == Facts(pages=3)


def test_a_head_is_not_counted() -> None:
    assert read_facts(media("report.pdf")[:1500], "application/pdf", is_whole=False) == Facts()


def test_a_linearized_document_states_its_pages_in_its_head() -> None:
    assert read_facts(LINEARIZED % 12, "application/pdf", is_whole=False) == Facts(pages=12)


@pytest.mark.parametrize(
    "head",
    [
        LINEARIZED % 0,
        b"%PDF-1.6\n1 0 obj << /Linearized 1 /L 1 >>",
        b"%PDF-1.6\n1 0 obj << /Count 7 /N 4 >>",
        b"%PDF-1.6" + bytes(1020) + LINEARIZED % 12,
    ],
)
def test_a_head_without_such_a_statement_tells_nothing(head: bytes) -> None:
    assert read_facts(head, "application/pdf", is_whole=False) == Facts()


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"%PDF-1.7\ntrailer <<>>\n%%EOF", bytes(5000)])
def test_a_broken_document_has_no_pages(data: bytes) -> None:
    assert read_facts(data, "application/pdf", is_whole=True) == Facts()


def test_threads_may_count_at_once() -> None:
    data, start = media("report.pdf"), threading.Barrier(4)

    def count(_: int) -> set[int | None]:
        start.wait()
        return {read_facts(data, "application/pdf", is_whole=True).pages for _ in range(50)}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(4))) == [{3}] * 4
