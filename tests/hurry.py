"""Lets recorded seconds go by faster, so that programs that sleep for seconds can be recorded in a test."""

from threadviz.learner.code import KIND, OWN
from threadviz.recording.recorder import Recorder


def hurry(monkeypatch, times):
    """Let every recorded sleep and time-out take a fraction of what it asks for; nothing else changes."""
    real = Recorder.wait
    monkeypatch.setitem(KIND, __file__, OWN)  # no learner's code

    def wait(self, track, described, attempt, seconds, hopeless):
        return real(self, track, described, attempt, None if seconds is None else seconds / times, hopeless)

    monkeypatch.setattr(Recorder, "wait", wait)
