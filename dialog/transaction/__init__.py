"""Transactions (RFC 3261 section 17): four machines as data, what runs them, and how messages find them."""
