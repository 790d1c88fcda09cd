"""Session descriptions (RFC 8866) and their offer/answer exchange (RFC 3264)."""
