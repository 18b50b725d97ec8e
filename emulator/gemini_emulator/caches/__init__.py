"""Cached contents: prompts that are kept, and put before others."""
