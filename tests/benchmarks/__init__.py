"""The measurements of `make bench`: the gateway beside its alternatives, on this machine. No tests.

    runner, which is the load generator ──HTTP──> server under measure ──HTTP──> upstream (a stand-in for Gemini)

Each is a process of its own, all on 127.0.0.1. The server's CPU time matters most: calls a second depend also on the
load generator and the upstream, which share the machine's cores with the server.
"""
