"""Batches: many requests that are answered later."""
