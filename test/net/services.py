# SPDX-License-Identifier: Apache-2.0
"""A service of its own on each node, beside the servers that every test cluster has: to be killed.

    shops = services.Services(cluster)          # on every node, PORT of the virtual IPs; RULE is the rule for it
    shops.kill(2)
    shops.start(2)
"""

import os
import signal
import subprocess
import sys

import flows
import netns
from harness import VIP4, VIP6, check

PORT = 7010


def rule(more="", port=PORT, name="shop", affinity="none"):
    return f"""
[[rule]]
name = "{name}"
protocol = "tcp"
ports = "{port}"
affinity = "{affinity}"
{more}
"""


class Services:
    def __init__(self, cluster, nodes=None, port=PORT):
        self._cluster, self._port = cluster, port
        for node in cluster.ids if nodes is None else nodes:
            self.start(node)

    def _key(self, node):
        return f"service{node}:{self._port}"

    def start(self, node):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "echo_server.py")
        process = subprocess.Popen(
            netns.command(self._cluster.namespace(node),
                          [sys.executable, script, f"web{node}", f"{VIP4},{VIP6}", self._port]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
        self._cluster.servers[self._key(node)] = process  # removed with the cluster
        check(process.stdout.readline() == "ready\n", f"the service of web{node} does not start")

    def kill(self, node):
        process = self._cluster.servers.pop(self._key(node))
        process.kill()
        process.wait()

    def close_listeners(self, node):
        """Takes no new connections, and goes on with the open ones."""
        self._cluster.servers[self._key(node)].send_signal(signal.SIGUSR1)


def shown(cluster, node, name="shop"):
    """The rule in the node's status."""
    return next(rule for rule in cluster.status(node)["rules"] if rule["name"] == name)


def wait_healthy(cluster, node, healthy, name="shop", seconds=30):
    cluster.wait_until(lambda: shown(cluster, node, name)["healthy"] is healthy,
                       f"rule {name} is {'' if healthy else 'un'}healthy on web{node}", seconds)


def answering(cluster, port=PORT, count=90, timeout=5.0, seed=1):
    """The names that answered new connections; flows.REFUSED, or None: some were not answered."""
    return set(flows.ask_tcp(cluster.client, flows.many(count, VIP4, port, seed=seed), timeout=timeout).values())
