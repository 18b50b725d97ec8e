"""One request as every floor above sees it: its context, its query, and the usage of its model calls."""
