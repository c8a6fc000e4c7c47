"""A real standalone Milvus, in a process of its own and a folder that goes away."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

_PATIENCE = 120  # s, to start


class CannotRun(Exception):
    """There is no Milvus on this machine; says why."""


def _end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class MilvusServer:
    """The server of the package `milvus`.

    Parameters
    ----------
    folder : Path
        For its programs and its data.
    """

    def __init__(self, folder):
        self.folder = folder
        self._process = None
        self._prepared = False

    def start(self):
        """Start it, with what it had before; raise `CannotRun` if that is not possible here."""
        if not self._prepared:
            self._prepare()
        try:
            self._start()
        except CannotRun:
            if self._process is None or self._process.returncode is None:
                raise
            self._start()  # it may end by itself where a machine is busy

    def _start(self):
        env = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "ETCD_CONFIG_PATH": str(self.folder / "etcd.yaml"),
            "METRICS_PORT": str(self._health),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
            "LD_LIBRARY_PATH": str(self.folder / "bin"),
        }
        with (self.folder / "log").open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    [self.folder / "bin" / "milvus", "run", "standalone"],
                    cwd=self.folder,
                    env=env,
                    stdout=log,
                    stderr=log,
                    preexec_fn=_end_with_parent,
                )
            except OSError as error:
                raise CannotRun(f"Milvus cannot be started: {error}") from error
        self._await()

    def kill(self):
        """Stop it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    stop = kill

    def _prepare(self):
        try:
            import milvus
        except ImportError as error:
            raise CannotRun("Milvus is not installed: pip install milvus==2.3.5") from error
        try:
            milvus._initialize_data_files(str(self.folder))
        except OSError as error:
            raise CannotRun(f"Milvus cannot be unpacked: {error}") from error
        config = milvus.MilvusServerConfig(data_dir=str(self.folder))
        names = [name for name in config.configurable_items if name.endswith("_port")]
        *ports, self._health, client, peer = _free_ports(len(names) + 3)
        config.update(**dict(zip(names, ports, strict=True)))
        config.set("common.session.ttl", 5)  # s, until it knows that it was killed
        config.resolve()
        # or it would take ports that others may have
        (self.folder / "etcd.yaml").write_text(
            f"listen-client-urls: http://127.0.0.1:{client}\n"
            f"advertise-client-urls: http://127.0.0.1:{client}\n"
            f"listen-peer-urls: http://127.0.0.1:{peer}\n"
            f"initial-advertise-peer-urls: http://127.0.0.1:{peer}\n"
            f"initial-cluster: default=http://127.0.0.1:{peer}\n"
        )
        self.port = config.get("proxy_port")
        self._prepared = True

    def _await(self):
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                last = (self.folder / "log").read_text(errors="replace")[-300:]
                raise CannotRun(f"Milvus ended with {self._process.returncode}: {last}")
            try:
                url = f"http://127.0.0.1:{self._health}/healthz"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if b"OK" in answer.read():
                        return
            except OSError:
                pass
            time.sleep(0.1)
        self.kill()
        raise CannotRun(f"Milvus was not ready within {_PATIENCE} s")


def _free_ports(count):
    """Return ports below those that connections get: it takes seconds until they are used."""
    found = []
    for port in random.SystemRandom().sample(range(15000, 32000), 2000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise CannotRun("there are no free ports for Milvus")
