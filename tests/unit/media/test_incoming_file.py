"""The states of a file that arrives, and what each says of the file."""

from dataclasses import FrozenInstanceError, replace

import pytest

from app.gemini.remote_files import RemoteFile
from app.gemini.request import NO_OPTIONS, FilePart, InlinePart
from app.gemini.resumable import ResumableSession
from app.media.claims import Claim
from app.media.incoming_file import Delivery, Held, IncomingFile, Reused, Uploading
from app.media.spill import STEP_BYTES
from app.media.transfer import Transfer
from app.store.records import NO_FACTS, MediaFacts, Origin, StoredFile, Upload, UploadState

DATA = b"words " * (STEP_BYTES // 6)
UPLOAD = Upload(
    name="there",
    owner="me",
    state=UploadState.ACTIVE,
    mime_type="text/plain",
    size_bytes=len(DATA),
    sha256="0" * 64,
    uri="https://g/files/there",
    error=None,
    session=None,
    facts=MediaFacts(pages=3),
    created_at=0,
    expires_at=1,
    lease_until=None,
)
KNOWN = StoredFile("file_1", "me", Origin.SENT, None, 0, UPLOAD)
REMOTE = RemoteFile("new", "https://g/files/new", "ACTIVE", None, None, None)


def arrived(*, is_ended: bool = True) -> IncomingFile:
    file = IncomingFile(
        index=0,
        filename="a.txt",
        declared="text/plain",
        claim=Claim(),
        options=NO_OPTIONS,
        max_bytes=1 << 20,
    )
    assert isinstance(file.state, Held)
    file.count(len(DATA))
    assert file.hold(file.state, memoryview(DATA))
    if is_ended:
        file.end()
    return file


def transfer() -> Transfer:
    # No request is sent here.
    session = ResumableSession(None, "http://g/u", name="new", granularity=1, chunk_timeout_s=1)  # type: ignore[arg-type]
    return Transfer(session, mime_type="text/plain", chunk_bytes=STEP_BYTES)


def test_a_held_file_goes_inline() -> None:
    file = arrived()

    assert (file.is_held, file.delivery, file.upload_name, file.facts) == (True, Delivery.INLINE, None, NO_FACTS)
    assert file.part() == InlinePart("text/plain", [DATA], NO_OPTIONS)
    assert file.held_size().size_bytes == len(DATA)


async def test_a_file_that_spills_is_uploaded_under_its_name() -> None:
    file = arrived()
    uploading = transfer()

    slices = file.spill(Uploading(uploading))
    during = (file.is_held, file.delivery, file.upload_name, file.held_slices)
    with pytest.raises(AssertionError, match="before its upload has ended"):
        file.part()
    file.finish(REMOTE)

    assert slices == [DATA]
    assert during == (False, Delivery.UPLOADED, None, [])
    assert (file.delivery, file.upload_name) == (Delivery.UPLOADED, "new")
    assert file.part() == FilePart("text/plain", REMOTE.uri, NO_OPTIONS)
    assert file.stored is None


def test_a_known_file_is_used_in_place_of_the_bytes_that_arrive() -> None:
    file = arrived(is_ended=False)

    assert file.spill(Reused(KNOWN)) == [DATA]
    file.end()

    assert (file.delivery, file.upload_name, file.facts) == (Delivery.REUSED, "there", MediaFacts(pages=3))
    assert file.part() == FilePart("text/plain", "https://g/files/there", NO_OPTIONS)


async def test_an_upload_whose_bytes_are_known_at_the_end_is_reused() -> None:
    file = arrived()
    file.spill(Uploading(transfer()))

    file.reuse(KNOWN)
    file.keep(replace(KNOWN, id="file_2"))

    assert file.delivery is Delivery.REUSED
    assert file.stored is not None
    assert file.stored.id == "file_2"


def test_a_file_spills_once() -> None:
    file = arrived()
    file.spill(Reused(KNOWN))

    with pytest.raises(AssertionError):
        file.spill(Reused(KNOWN))


def test_states_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Reused(KNOWN).file = KNOWN  # type: ignore[misc]
