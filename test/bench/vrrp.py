# SPDX-License-Identifier: Apache-2.0
"""keepalived on the hosts of a test cluster, in the agents' place: one of them has the virtual IP, the others wait.

Configured as its manual shows; priorities as high as they go, which is what makes the backups wait least. A script asks
each second, as often as it can, whether a server listens; a host whose check fails gives up its place at
once. Virtual IPs do not survive a crash of a real host, so they are removed here when one comes back.
"""

import contextlib
import os
import signal
import subprocess
import time

import netns
from harness import VIP4, Cluster

KEEPALIVED = "/usr/sbin/keepalived"
_PID_FILES = ("pid", "vrrp_pid")


def _configuration(node, seconds):
    version = "" if seconds >= 1 else "vrrp_version 3"  # parts of a second came with version 3
    return f"""
global_defs {{
    router_id web{node}
    {version}
    script_user root
}}
vrrp_script service {{
    script "/bin/sh -c 'ss -Htnl sport = :7001 | grep -q .'"
    interval 1
    fall 1
    rise 1
}}
vrrp_instance web {{
    state {"MASTER" if node == 1 else "BACKUP"}
    interface eth0
    virtual_router_id 51
    priority {255 - node}
    advert_int {seconds}
    virtual_ipaddress {{
        {VIP4}/24
    }}
    track_script {{
        service
    }}
}}
"""


class VrrpCluster(Cluster):
    """Like Cluster; active is the lowest id that lives. advert_int: seconds between advertisements."""

    def __init__(self, advert_int, **options):
        super().__init__(**options)
        self.split_serves = True  # what keepalived does is measured, and not judged
        self._advert_int = advert_int

    def start(self, node):
        os.makedirs(self.run_dir(node), exist_ok=True)
        config = f"{self.run_dir(node)}/keepalived.conf"
        with open(config, "w") as file:
            file.write(_configuration(node, self._advert_int))
        pids = [f"--{which}={self.run_dir(node)}/{which}" for which in _PID_FILES]
        with open(self.log_file(node), "a") as log:
            self.agents[node] = subprocess.Popen(
                netns.command(self.namespace(node), [KEEPALIVED, "--dont-fork", "--vrrp", "--log-console",
                                                     "--no-syslog", "--use-file", config] + pids),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=netns.die_with_parent)

    def kill(self, node):
        """It is several processes; its PID files are removed here, as systemd does before it starts it again."""
        agent = self.agents.pop(node)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()
        for which in _PID_FILES:
            with contextlib.suppress(FileNotFoundError):
                os.remove(f"{self.run_dir(node)}/{which}")

    def _trouble(self):
        """Its log is not in our form."""

    def revive(self, node):
        netns.run(self.namespace(node), "ip", "address", "del", f"{VIP4}/24", "dev", "eth0", check=False)
        super().revive(node)

    def remove(self):
        for node in list(self.agents):
            self.kill(node)
        super().remove()

    def agree(self, nodes):
        """The first of these nodes has the virtual IP, no other has, and long enough for it to be the end of it."""
        if self._holders() != nodes[:1]:
            return False
        time.sleep(self._advert_int)
        return self._holders() == nodes[:1]

    def _holders(self):
        return [node for node in self.ids if node in self.agents and
                VIP4 in netns.run(self.namespace(node), "ip", "-brief", "address", "show", "eth0").stdout]
