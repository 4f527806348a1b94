"""What happened in a trace, and why: pure functions of plain data."""
