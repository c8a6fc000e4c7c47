"""``python -m zounds``: the command."""

if __name__ == "__main__":  # worker processes import this, too
    from zounds_command import run

    run()
