"""Who reaches a handler: authentication, scopes, and the rate of requests, on every surface alike."""
