"""Every interleaving of a scenario: which runs are worth making, and what came of them."""
