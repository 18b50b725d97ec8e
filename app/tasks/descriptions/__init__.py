"""Descriptions: a video, scene by scene."""
