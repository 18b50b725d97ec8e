"""Gemini's own upload protocol, streamed: the gateway chooses the files' names, and each session has one owner."""
