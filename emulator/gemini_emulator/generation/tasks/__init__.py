"""Answers to the tasks that the guides teach: boxes, masks, captions, passages of sound and film, pages.

    schema ── recognise ──> Task ── see, hear, read ──> true values ── fit ──> JSON of that schema

A task is known by the property names of its response schema, never by the words of the prompt.
"""
