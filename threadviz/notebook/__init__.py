"""What a learner uses in a notebook: sliders, buttons and magics."""
