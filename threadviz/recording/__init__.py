"""Runs on real threads and the real clock, written down while they go on."""
