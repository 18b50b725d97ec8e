"""The gateway's clients: keys, tokens and identity providers; their rights, limits and usage."""
