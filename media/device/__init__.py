"""Microphones and loudspeakers: devices, and the way of sound between them and the media thread."""
