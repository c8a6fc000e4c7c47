"""Indexes: codes to hits."""
