"""`python -m protocol_analysis` is `protocol-analysis`."""

import sys


def main() -> int:
    """Run a command; returns the exit status. Ctrl-C may come while there is no command yet."""
    try:
        from protocol_analysis import cli  # noqa: PLC0415 - see above

        return cli.main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
