# SPDX-License-Identifier: Apache-2.0
"""etc/guide/lvs.md: two directors of Linux Virtual Server with nlbd in front of them, direct routing and the scheduler mh.
Each has its clients, and sends a client to the server that the other would; one is stopped, one dies, and the
connections go on through the other.

    client --- bridge --- web1, web2 (nlbd, ipvsadm) --- real1, real2 (the virtual IP on lo), on the same bridge
"""

import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../net"))

import netns  # noqa: E402
from harness import PATIENCE, VIP4, Cluster, check, main  # noqa: E402

SERVERS = {"real1": 11, "real2": 12}
RULES = """
[[rule]]
name = "service"
protocol = "tcp"
ports = "7001"
affinity = "single"
health = { type = "none" }
"""
CLIENTS = 24


def director(cluster, node):
    netns.sysctl(cluster.namespace(node), "net.ipv4.vs.sloppy_tcp", 1)
    netns.run(cluster.namespace(node), "ipvsadm", "-A", "-t", f"{VIP4}:7001", "-s", "mh")
    for number in SERVERS.values():
        netns.run(cluster.namespace(node), "ipvsadm", "-a", "-t", f"{VIP4}:7001", "-r", f"192.0.2.{number}", "-g")


def real_server(cluster, name, number):
    host = cluster.add_host(name, number)
    for key, value in (("arp_ignore", 1), ("arp_announce", 2)):
        netns.sysctl(host, f"net.ipv4.conf.all.{key}", value)
    netns.ip(host, f"address add {VIP4}/32 dev lo")
    server = os.path.join(os.path.dirname(netns.__file__), "echo_server.py")
    cluster.servers[name] = subprocess.Popen(
        netns.command(host, [sys.executable, server, name, VIP4, "7001"]), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
    check(cluster.servers[name].stdout.readline() == "ready\n", f"{name} does not start")


class Client:
    def __init__(self, cluster, number):
        with netns.inside(cluster.client):
            self._socket = socket.create_connection((VIP4, 7001), 30 * PATIENCE, (f"198.18.{number}.5", 0))
        self.server = self._socket.recv(100).decode().strip()

    def asks(self):
        """Whether the server that it is connected to still answers."""
        try:
            self._socket.sendall(b"x")
            return self._socket.recv(1) == b"x"
        except OSError:
            return False

    def close(self):
        self._socket.close()


def counted(cluster):
    """How many connections each director has passed on, once all are counted: the kernel does it every two seconds."""
    counts = []
    for node in cluster.ids:
        rows = netns.run(cluster.namespace(node), "ipvsadm", "-L", "-n", "--stats", "--exact").stdout.splitlines()
        counts.append(next(int(row.split()[2]) for row in rows if row.startswith("TCP")))
    return counts if sum(counts) >= CLIENTS else None


def all_ask(clients, what):
    silent = [client for client in clients if not client.asks()]
    check(not silent, f"{what}: {len(silent)} of {len(clients)} connections are lost")
    print(f"{what}: {len(clients)} connections go on", flush=True)


def test():
    for module in ("ip_vs", "ip_vs_mh"):
        netns.run(None, "modprobe", module)
    with Cluster(nodes=2, servers=False, rules=RULES, virtual_ips=(VIP4,)) as cluster:
        for name, number in SERVERS.items():
            real_server(cluster, name, number)
        for node in cluster.ids:
            director(cluster, node)
        cluster.start_all()
        cluster.wait_active([1, 2])
        clients = [Client(cluster, number) for number in range(CLIENTS)]
        counts = cluster.wait_until(lambda: counted(cluster), "the directors have counted all connections")
        check({client.server for client in clients} == set(SERVERS), "one server has all clients")
        check(all(counts), f"the directors passed {counts} connections")
        print(f"{CLIENTS} clients; by director: {counts}", flush=True)
        all_ask(clients, "at first")
        cluster.nlbctl("stop", node=2)
        cluster.wait_until(lambda: cluster.status(2)["state"] == "stopped", "web2 is out")
        all_ask(clients, "web2 was stopped")
        cluster.nlbctl("start", node=2)
        cluster.wait_active([1, 2])
        all_ask(clients, "web2 is back")
        cluster.crash(1)
        cluster.wait_until(lambda: cluster.agree([2]), "web2 serves alone")
        all_ask(clients, "web1 died")
        again = [Client(cluster, number) for number in range(CLIENTS)]
        check([one.server for one in again] == [one.server for one in clients], "clients have come to another server")
        for client in clients + again:
            client.close()


main(test)
