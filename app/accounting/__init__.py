"""What a call is allowed, what it used, and what is taken down of it, for every surface alike. It knows no surface."""
