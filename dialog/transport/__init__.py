"""Transports: the sockets under the core. This is the far side of the I/O line."""
