# SPDX-License-Identifier: Apache-2.0
"""A Debian machine to install packages on: a root of its own (debootstrap), booted with its own systemd in a container,
in a network namespace that the test has made. It has all capabilities, and /proc/sys is writable, as on a host.

    machine = Machine(directory)             # nothing but a minimal Debian 12
    machine.install("nlbd_0.1.0_amd64.deb")  # with what it depends on, by apt, not running yet
    machine.boot("web1", namespace)
    machine.run("systemctl", "is-active", "nlbd")
"""

import glob
import os
import shutil
import signal
import subprocess
import time

import netns
from harness import check


def _mirror():
    """Where this machine's own packages come from."""
    sources = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)",
                              "Created-By: Packages"], capture_output=True, text=True, check=True, timeout=60)
    for line in sources.stdout.splitlines():
        uri, codename, component = line.split()
        if (codename, component) == ("bookworm", "main"):
            return uri
    raise RuntimeError("apt knows no source of Debian 12 (bookworm main)")


class Machine:
    def __init__(self, directory):
        self.root = f"{directory}/root"
        self._log = f"{directory}/machine.txt"
        self._container, self.leader = None, None
        self._plainly("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2", "bookworm",
                      self.root, _mirror())
        for name in ("sources.list.d", "apt.conf.d", "trusted.gpg.d", "keyrings", "preferences.d"):
            if os.path.isdir(f"/etc/apt/{name}"):
                shutil.copytree(f"/etc/apt/{name}", f"{self.root}/etc/apt/{name}", dirs_exist_ok=True)
        if os.path.exists("/etc/apt/sources.list"):
            shutil.copy("/etc/apt/sources.list", f"{self.root}/etc/apt/")
        for keyring in glob.glob("/usr/share/keyrings/*.gpg"):
            shutil.copy(keyring, f"{self.root}/usr/share/keyrings/")
        shutil.copy("/etc/resolv.conf", f"{self.root}/etc/resolv.conf")

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
