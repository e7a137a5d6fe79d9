# SPDX-License-Identifier: Apache-2.0
"""Servers as an administrator meets them: each node of a test cluster with a host name, processes, /etc, /var and /run
of its own, so that the files and commands of a guide are used as they are, at the paths that it names.

    with Machines(nodes=2, config="cluster.toml", state=["/var/lib/nginx"]) as cluster:
        cluster.machine[1].sh("cp nginx.conf /etc/nginx/; systemctl restart nginx; systemctl start nlbd")
        cluster.crash(1)          # the cable is pulled and the power is gone: every process of it is killed
        cluster.revive(1)

A machine's first process holds its namespaces (mount, UTS, IPC, PID) and ends with the test; with it ends all that runs
there. Four programs are stand-ins (standins/): systemctl, which starts what Debian's units start; apt, since the
packages are there; scp, which copies from machine to machine; docker, for one container.
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "net"))
import netns  # noqa: E402
from harness import BUILD, Cluster, Failed, check  # noqa: E402

_BOOT = """
set -e
hostname "$1"
root=$2
for directory in etc var run; do mount --bind $root/$directory /$directory; done
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock /run/log /run/sendsigs.omit.d
echo up
while read -r _; do :; done
"""


class Machine:
    """One server. state: directories below /var that its packages have made, copied as they are after installation."""

    def __init__(self, cluster, who, state):
        self.name = cluster.label(who)
        self.root = f"{cluster.directory}/{self.name}"
        self._namespace = cluster.namespace(who)
        self._environment = dict(
            os.environ, PATH=f"{HERE}/standins:{BUILD}:/usr/sbin:/usr/bin:/sbin:/bin", MACHINES=cluster.directory)
        self._holder = None
        os.makedirs(f"{self.root}/run")
        for directory in ("cache", "lib", "log", "spool", "www"):
            os.makedirs(f"{self.root}/var/{directory}")
        os.symlink("/run", f"{self.root}/var/run")
        os.symlink("/run/lock", f"{self.root}/var/lock")
        for directory in ["/etc"] + state:
            subprocess.run(["cp", "-a", directory, self.root + directory], check=True, timeout=60)
        self.power_on()

    def power_on(self):
        shutil.rmtree(f"{self.root}/run")
        os.makedirs(f"{self.root}/run")
        self._holder = subprocess.Popen(
            netns.command(self._namespace, ["unshare", "--mount", "--propagation", "private", "--uts", "--ipc",
                                            "--pid", "--mount-proc", "--fork", "--kill-child=KILL",
                                            "bash", "-c", _BOOT, "boot", self.name, self.root]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
        check(self._holder.stdout.readline() == "up\n", f"{self.name} does not start")

    def power_off(self):
        """At once, without telling any other machine."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.communicate()
            self._holder = None

    def sh(self, script, directory="/", ok=True, seconds=120):
        """Runs a script to its end; its output. What it leaves in the background goes on."""
        spaces = f"/proc/{self._holder.pid}/ns"
        words = ["nsenter", f"--net={spaces}/net", f"--mount={spaces}/mnt", f"--uts={spaces}/uts",
                 f"--ipc={spaces}/ipc", f"--pid={spaces}/pid_for_children", f"--wd={directory}", "bash",
                 "-euo", "pipefail", "-c", script]
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, preexec_fn=netns.die_with_parent)
        if ok and done.returncode != 0:
            raise Failed(f"{self.name}: exit {done.returncode} of\n{script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def logs(self):
        """The ends of what its services have written, as far as it is text."""
        parts = []
        for top in ("run/log", "var/log"):
            for folder, _, files in os.walk(f"{self.root}/{top}"):
                for name in sorted(files):
                    with open(os.path.join(folder, name), errors="replace") as file:
                        lines = file.read().splitlines()[-15:]
                    parts += [f"--- {self.name}: {name}"] + [f"     {line[:300]}" for line in lines] if lines else []
        return "\n".join(parts)


class Machines(Cluster):
    """nodes: how many run nlbd, with `config`, the guide's own file. others: name -> last octet of its address, of more
    servers that do not. state: what a Machine takes, for all, or a dict with what those need that it names."""

    def __init__(self, nodes, config, state=(), others=None, **options):
        super().__init__(nodes=nodes, servers=False, **options)
        self._config, self._state, self._others = config, state, others or {}
        self.machine = {}

    def write_config(self, path, **_):
        return shutil.copyfile(self._config, path)

    def run_dir(self, who):
        return f"{self.directory}/{self.label(who)}/run/nlb"

    def log_file(self, who):
        return f"{self.directory}/{self.label(who)}/run/log/nlbd.log"

    def _build(self):
        super()._build()
        for who, number in self._others.items():
            netns.ip(self.add_host(who, number), "route add 224.0.0.0/4 dev eth0")  # elsewhere by the default route
        for who in self.ids + list(self._others):
            needed = self._state.get(who, ()) if isinstance(self._state, dict) else self._state
            self.machine[who] = Machine(self, who, list(needed))

    def start(self, node, *_):
        self.machine[node].sh("systemctl start nlbd")

    def crash(self, node):
        """The power is gone, and so are all links in the same moment: one that is left would carry a farewell."""
        netns.ip(self.switch, "\n".join(f"link set {cable} down" for cable in self._cables(node)))
        self.machine[node].power_off()

    def revive(self, node, services):
        """Switched on again, with what starts at boot. Its kernel has forgotten all that hung on the interface, and the
        clients of it; and no host remembers which neighbours did not answer while it was cut off."""
        netns.ip(self.namespace(node), "link delete eth0")
        self.add_interface(node, self._others.get(node, node))
        netns.ip(self.switch, "\n".join(f"link set {cable} up" for cable in self._cables(node)))
        netns.ip(self.namespace(node), "neighbour flush all")
        self.machine[node].power_on()
        self.machine[node].sh(f"systemctl start {services}{'' if node in self._others else ' nlbd'}")

    def _cables(self, node):
        return ([f"hb{node}"] if self.heartbeat_network and node in self.ids else []) + [self.label(node)]

    def client_sh(self, script, ok=True):
        """A script on the clients' machine; its output."""
        done = netns.run(self.client, "bash", "-euo", "pipefail", "-c", script, check=False)
        if ok and done.returncode != 0:
            raise Failed(f"client: exit {done.returncode} of\n{script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def diagnosis(self):
        return "\n".join([super().diagnosis()] + [machine.logs() for machine in self.machine.values()])

    def remove(self):
        for machine in self.machine.values():
            machine.power_off()
        super().remove()
