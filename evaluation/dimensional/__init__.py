"""What sets are worth where dimensions are told: the same students and baselines, scored by CCC."""
