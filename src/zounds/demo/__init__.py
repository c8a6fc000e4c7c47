"""A synthesised orchestra: sounds whose kinds are known, with nothing to download."""
