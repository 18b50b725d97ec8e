"""Markdown: a PDF, page by page."""
