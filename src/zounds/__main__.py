"""``python -m zounds``: the command."""

if __name__ == "__main__":  # worker processes import this, too
    from zounds.cli.main import run

    run()
