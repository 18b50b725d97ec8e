"""Incoming media: the form parser, the type of a file, inline or upload, and the files stored at Gemini."""
