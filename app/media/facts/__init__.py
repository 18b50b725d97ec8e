"""Facts read from a file's bytes as they pass: a picture's size, a duration, a number of pages.

    read.py       the one door: which reader for which type, and the promise never to raise
    pictures.py   PNG, JPEG, WebP, GIF, BMP and TIFF headers       tiff.py     directories, as in TIFF and EXIF
    isobmff.py    boxes: HEIC sizes, MP4 and QuickTime durations   matroska.py WebM durations
    sound.py      WAV, AIFF, FLAC, Ogg and raw samples             mpeg.py     MP3 and AAC frames
    documents.py  PDF pages

Headers are read, pixels and samples never decoded, and nothing is estimated: what the bytes at hand do not
say is None. It must not know HTTP, Gemini, or whether the bytes are inlined or uploaded.
"""

from app.media.facts.read import read_facts, turned_by_tail
from app.store.records import Facts

__all__ = ["Facts", "read_facts", "turned_by_tail"]
