import os
import struct
import subprocess
import sys

import pytest


@pytest.fixture
def on_terminal():
    """A function that runs the program on a pseudo-terminal.

    It returns what the program wrote there: text with the control sequences of a terminal.
    """
    termios = pytest.importorskip("termios", reason="pseudo-terminals are tested on POSIX")
    import fcntl

    def run(*arguments, columns=80, code=0):
        ours, its = os.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [sys.executable, "-m", "nnmnist", *map(str, arguments)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
        with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=env) as process:
            os.close(its)
            written = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        assert process.returncode == code, written
        return written.decode()

    return run


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # the program has ended
        return b""
