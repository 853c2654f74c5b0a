"""The start of the program: `python -m nnmnist` is `nnmnist`.

The imports of a command take some tenths of a second. A Ctrl-C in this time ends the process at
once: as an exception it would interrupt an import, and show a traceback.
"""

import os

try:
    import signal
except KeyboardInterrupt:
    os._exit(130)


def main() -> None:
    """The entry point of `nnmnist` and `python -m nnmnist`."""
    _end_at_interrupt()
    try:
        from nnmnist.cli.app import main as run

        run()
    finally:
        _end_at_interrupt()


def _end_at_interrupt() -> None:
    """Let Ctrl-C end the process at once, unless it is ignored, as in the background."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda signum, frame: os._exit(130))


if __name__ == "__main__":
    main()
