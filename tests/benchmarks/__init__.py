"""What `make bench` runs: the gateway beside what people use instead of it, measured on this machine. No tests.

    runner, which is the load generator ──HTTP──> server under measure ──HTTP──> upstream (a stand-in for Gemini)

Each is a process of its own, all on 127.0.0.1. The server's CPU is what is looked at first; calls a second depend on
the load generator and the upstream too, which share the machine's cores with it.
"""
