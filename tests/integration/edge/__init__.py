"""The edge over real sockets, byte by byte."""
