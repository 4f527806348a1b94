"""Lets recorded seconds go by faster, so that programs that sleep for seconds can be recorded in a test."""

from threadviz.learner.code import KIND, OWN
from threadviz.recording.tracks import Track


def hurry(monkeypatch, times):
    """Let every recorded sleep and time-out take a fraction of what it asks for; nothing else changes."""
    real = Track.wait
    monkeypatch.setitem(KIND, __file__, OWN)  # no learner's code

    def wait(track, described, attempt, seconds, hopeless):
        return real(track, described, attempt, None if seconds is None else seconds / times, hopeless)

    monkeypatch.setattr(Track, "wait", wait)
