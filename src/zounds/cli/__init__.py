"""The command ``zounds``: a corpus for those who do not program."""
