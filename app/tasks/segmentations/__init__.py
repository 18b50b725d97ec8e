"""Segmentations: outlining objects in a picture."""
