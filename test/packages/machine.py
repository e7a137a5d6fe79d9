# SPDX-License-Identifier: Apache-2.0
"""A Debian machine to install packages on: a root of its own, booted with its own systemd in a container,
in a network namespace that the test has made. It has all capabilities, and /proc/sys is writable, as on a host.

    machine = Machine(directory, "trixie")   # nothing but a minimal Debian 13
    machine.install("nlbd_0.2.0_amd64.deb")  # with what it depends on, by apt, not running yet
    machine.boot("web1", namespace)
    machine.run("systemctl", "is-active", "nlbd")
"""

import os
import shutil
import signal
import subprocess
import time

import netns
from harness import check


SOURCE = os.environ["NLBD_SOURCE_DIR"]
RELEASES = ("bookworm", "trixie")


class Machine:
    def __init__(self, directory, release):
        self.root = f"{directory}/root"
        self._log = f"{directory}/machine.txt"
        self._container, self.leader = None, None
        kept = f"{SOURCE}/build/platforms/{release}/machine"
        self._plainly(f"{SOURCE}/test/platforms/root", release, kept, "systemd", "systemd-sysv", "dbus", "iproute2")
        self._plainly("cp", "--archive", "--reflink=auto", kept, self.root)
        if os.path.exists(policy := f"{self.root}/usr/sbin/policy-rc.d"):
            os.remove(policy)  # a root's services never start; a machine's do

    def _plainly(self, *words):
        with open(self._log, "a") as log:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=900,
                                  env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})
        if done.returncode != 0:
            with open(self._log) as log:
                raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}:\n{log.read()[-4000:]}")

    def put(self, file, name=None):
        """A copy of a file in the machine; its path there."""
        path = name or f"/opt/{os.path.basename(file)}"
        shutil.copy(file, self.root + path)
        return path

    def install(self, package):
        self._plainly("chroot", self.root, "apt-get", "update", "-q")
        self._plainly("chroot", self.root, "apt-get", "install", "-qy", "--no-install-recommends", self.put(package))

    def download(self, *packages):
        """For a machine that has no network once it is booted."""
        self._plainly("chroot", self.root, "apt-get", "update", "-q")
        self._plainly("chroot", self.root, "apt-get", "install", "-qy", "--no-install-recommends", "--download-only",
                      *packages)

    def boot(self, name, namespace):
        with open(f"{self.root}/etc/hostname", "w") as file:
            file.write(name + "\n")
        log = open(self._log, "a")
        self._container = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={name}",
             f"--network-namespace-path=/run/netns/{namespace}", "--register=no", "--keep-unit", "--capability=all",
             "--console=read-only"],
            env={**os.environ, "SYSTEMD_SECCOMP": "0", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=netns.die_with_parent)
        own = self._container.pid
        end = time.monotonic() + 120
        while not self._booted(own):
            if self._container.poll() is not None or time.monotonic() > end:
                with open(self._log) as said:
                    raise RuntimeError(f"the machine does not boot:\n{said.read()[-3000:]}")
            time.sleep(0.1)

    def _booted(self, own):
        with open(f"/proc/{own}/task/{own}/children") as file:
            children = file.read().split()
        self.leader = int(children[-1]) if children else None
        return self.leader and self.run("test", "-S", "/run/systemd/private", check_exit=False).returncode == 0

    def run(self, *words, check_exit=True, seconds=120):
        done = subprocess.run(["nsenter", f"--target={self.leader}", "--all", "--", *words], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=seconds,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                   "DEBIAN_FRONTEND": "noninteractive"})
        if check_exit:
            check(done.returncode == 0,
                  f"{' '.join(words)}: exit {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done

    def off(self):
        if self._container is None:
            return
        if self.leader and self._container.poll() is None:
            os.kill(self.leader, signal.SIGKILL)
        self._container.wait(60)
        self._container = None
