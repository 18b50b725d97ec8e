"""The Interactions API: turns that are stored, and continued by their id."""
