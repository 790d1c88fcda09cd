"""Playback from and recording to audio files, their disk work done on the file thread.

soundfile and soxr are only loaded when a file is played, or recorded in another format than WAV.
"""

from media.files.playback import FilePlayback
from media.files.recorder import FileRecorder, Recording
from media.files.work import File, FileWork

__all__ = ["File", "FilePlayback", "FileRecorder", "FileWork", "Recording"]
