"""Bytes to samples, samples to other rates, and samples back to bytes."""
