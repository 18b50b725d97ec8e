"""The Gemini API, offline: an application of its own that imports nothing of the gateway.

Its answers are computed from the media that arrived, are the same for the same request, and never pretend to be those
of a model.
"""
