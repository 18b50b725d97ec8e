"""Gemini's own upload protocol, streamed through: files under names of the gateway's, sessions of their owners'."""
