"""Learning: examples to fitted transforms."""
