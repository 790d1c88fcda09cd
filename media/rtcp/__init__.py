"""RTCP (RFC 3550 section 6): packets, reports, and when to send them."""
