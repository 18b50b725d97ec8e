"""Transcriptions and subtitles: speech in sound or video as text."""
