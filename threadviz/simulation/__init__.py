"""Runs on a virtual clock: every thread is a greenlet, and time moves only when no thread can run."""
