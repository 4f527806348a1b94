"""The learner's code: whose it is, what it can reach, and what it touches."""
