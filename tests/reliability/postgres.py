"""A real PostgreSQL server for tests: on a free port of 127.0.0.1, its files in a folder of its
own.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import closing, suppress
from pathlib import Path


def programs():
    """The folder of the server's programs, or None: Debian keeps them off the PATH."""
    found = shutil.which("pg_ctl") or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))), None
    )
    return Path(found).resolve().parent if found else None


class Server:
    """Starts and stops it; PostgreSQL refuses to run as root,
    so root has it run by another user."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._as = []
        if os.getuid() == 0:
            user = next(each for each in pwd.getpwall() if each.pw_name in ("postgres", "nobody"))
            shutil.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = [
                "setpriv",
                f"--reuid={user.pw_uid}",
                f"--regid={user.pw_gid}",
                "--clear-groups",
            ]
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run(
            "initdb",
            "--auth=trust",
            "--username=tester",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder}/log", f"--options={options}")

    def stop(self, mode="immediate"):
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def database(self, name):
        """The address of a new database."""
        self._run(
            "createdb",
            "--host=127.0.0.1",
            f"--port={self.port}",
            "--username=tester",
            name,
            data=False,
        )
        return f"postgresql://tester@127.0.0.1:{self.port}/{name}"

    def remove(self):
        shutil.rmtree(self.folder)

    def _run(self, program, *arguments, data=True):
        where = [f"--pgdata={self.folder}/data"] if data else []
        command = [*self._as, programs() / program, *arguments[:1], *where, *arguments[1:]]
        subprocess.run(
            command,
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )


class Proxy:
    """Forwards connections to a port of 127.0.0.1, until `freeze` loses all that is sent on them.

    As in a network that loses packets, no connection is closed; later ones work.
    """

    def __init__(self, port):
        self.port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.own_port = self._listener.getsockname()[1]
        self._frozen = threading.Event()  # of the present connections
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self._frozen.set()
        self._frozen = threading.Event()

    def _accept(self):
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self.port))
                self._open += [client, there]
                for pair in ((client, there), (there, client)):
                    threading.Thread(
                        target=self._forward, args=(*pair, self._frozen), daemon=True
                    ).start()

    def _forward(self, source, target, frozen):
        with suppress(OSError):
            while data := source.recv(65536):
                if not frozen.is_set():
                    target.sendall(data)
            if not frozen.is_set():
                target.shutdown(socket.SHUT_WR)

    def close(self):
        for each in (self._listener, *self._open):
            each.close()
