"""A folder that is a searchable collection of sounds: what was read, learned and indexed."""
