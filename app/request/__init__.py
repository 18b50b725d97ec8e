"""One request as every package above sees it: its context, its query, and the usage of its model calls."""
