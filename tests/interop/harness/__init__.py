"""Peer programs under test control: how they are started, fed with sound, listened to and ended."""
