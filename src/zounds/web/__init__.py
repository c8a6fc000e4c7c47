"""The page, its interface, and the REPL: see ``docs/api.md``."""
