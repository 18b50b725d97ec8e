"""Captions: describing a picture."""
