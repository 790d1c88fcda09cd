"""RTP (RFC 3550): packets, sequence numbers, sending, receiving, and whom to believe."""
