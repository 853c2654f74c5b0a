"""A real PostgreSQL server for tests: on a free port of 127.0.0.1, its files in a folder of its
own.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import closing
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
