"""Detections: finding objects in a picture."""
