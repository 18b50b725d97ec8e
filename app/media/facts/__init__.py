"""Facts read from a file's bytes as they pass: a picture's size, a duration, a number of pages.

    read.py       the entry: chooses the reader of a type, and promises never to raise
    pictures.py   PNG, JPEG, WebP, GIF, BMP and TIFF headers       tiff.py     directories, as in TIFF and EXIF
    isobmff.py    boxes: HEIC sizes, MP4 and QuickTime durations   matroska.py WebM durations
    sound.py      WAV, AIFF, FLAC and raw samples   ogg.py   pages of Ogg   mpeg.py     MP3 and AAC frames
    documents.py  PDF pages

Headers are read; pixels and samples are never decoded, and nothing is estimated: a fact that the given bytes do not
contain is None. This package knows neither HTTP nor Gemini.
"""

from app.media.facts.read import read_facts, turned_by_tail
from app.store.records import MediaFacts

__all__ = ["MediaFacts", "read_facts", "turned_by_tail"]
