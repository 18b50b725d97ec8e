"""Comparisons: the differences between pictures."""
