"""Reads JSON like Google's front end: proto3 JSON, in both cases, with Google's own error messages."""
