# SPDX-License-Identifier: Apache-2.0
"""packaging/install-dependencies on a machine of its own with its own systemd: it names the release, installs, starts no
service and leaves nothing but packages; elsewhere it says what it does there, and without apt-get, what would be needed.

The first argument is the release of Debian, bookworm or trixie. The set is `demo`: it brings nginx, which would start.
(`build` and `package` are installed in the root that packaging/build-deb builds in.)
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, f"{os.environ['NLBD_SOURCE_DIR']}/test/net")

from harness import check, main, skip  # noqa: E402
from machine import RELEASES, SOURCE, Machine  # noqa: E402

NAMES = {"bookworm": "Debian GNU/Linux 12 (bookworm)", "trixie": "Debian GNU/Linux 13 (trixie)"}


def install(machine, which):
    return machine.run("/opt/install-dependencies", which, check_exit=False, seconds=600)


def on_its_release(machine, release):
    first = install(machine, "demo")
    check(first.returncode == 0, f"exit {first.returncode}: {first.stdout}{first.stderr}")
    check(f" packages of {NAMES[release]}: " in first.stdout, f"does not name the release: {first.stdout}")
    check("not supported" not in first.stderr, first.stderr)
    check(machine.run("nginx", "-v").returncode == 0, "nginx is not there")
    state = machine.run("systemctl", "show", "--value", "-p", "ActiveState,LoadState", "nginx").stdout.split()
    check(sorted(state) == ["inactive", "loaded"], f"nginx: {state}")
    left = machine.run("find", "/usr/sbin/policy-rc.d", "/run/systemd/private", check_exit=False).stdout.split()
    check(left == ["/run/systemd/private"], f"a policy stays, or systemd's directory stays hidden: {left}")
    again = install(machine, "demo")
    check((again.returncode, again.stdout, again.stderr) == (0, "", ""), f"the second time: {again}")


def elsewhere(machine):
    os.unlink(f"{machine.root}/etc/os-release")
    with open(f"{machine.root}/etc/os-release", "w") as file:
        file.write('PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nVERSION_ID="24.04"\n')
    other = install(machine, "fuzz")  # there is no network: it fails
    check(other.returncode == 1, f"exit {other.returncode}")
    check("Ubuntu 24.04 LTS is not supported (Debian 12 and 13 are): trying" in other.stderr, other.stderr)
    os.rename(f"{machine.root}/usr/bin/apt-get", f"{machine.root}/usr/bin/apt-get.away")
    other = install(machine, "fuzz")
    check(other.returncode == 1 and "apt-get not found" in other.stderr, other.stderr)
    check(other.stderr.rstrip().endswith("Install what they call: clang libclang-rt-dev"), other.stderr)


def test():
    release = sys.argv[1] if len(sys.argv) > 1 else RELEASES[0]
    for program in ("mmdebstrap", "systemd-nspawn"):
        if shutil.which(program) is None:
            skip(f"no {program}: packaging/install-dependencies package")
    namespace = f"nlbd-packages-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="nlbd-packages.") as directory:
        machine = Machine(directory, release)
        machine.download("python3", "iproute2", "nginx-light")
        machine.put(f"{SOURCE}/packaging/install-dependencies")
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        try:
            machine.boot("web1", namespace)
            on_its_release(machine, release)
            elsewhere(machine)
        finally:
            machine.off()
            subprocess.run(["ip", "netns", "delete", namespace], check=True)


main(test)
