"""DTMF: digits as RTP events (`telephone_event`)."""
