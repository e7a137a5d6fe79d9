# SPDX-License-Identifier: Apache-2.0
"""etc/examples/ecmp as it is written: a router with three next hops, told by FRR and BIRD, loses and gains them under load. No
connection of a server that lives breaks, whatever the router's hash makes of it.

    clients --- router (FRR, Linux' multipath) --- bridge (floods nothing) --- web1 (FRR), web2 (BIRD), web3 (FRR)
"""

import http.client
import socket
import threading
import time

from guide import Guide  # first: it knows where the other modules are
import netns
import web_clients
from harness import PATIENCE, check, main

VIRTUAL_IP = "192.0.2.100"
HOPS = {node: f"192.0.2.{node}" for node in (1, 2, 3)}


def put_behind_the_router(cluster):
    """Clients leave the servers' segment: the router has their former address there."""
    router, client = cluster.namespace("router"), cluster.client
    netns.ip(client, "link delete eth0")
    netns.ip(router, f"link add eth1 type veth peer name eth0 netns {client}")
    netns.ip(client, """
        address add 198.51.100.2/24 dev eth0
        link set eth0 up
        route add default via 198.51.100.1""")
    netns.ip(router, """
        address add 192.0.2.254/24 dev eth0
        address add 198.51.100.1/24 dev eth1
        link set eth1 up
        route replace 198.18.0.0/15 via 198.51.100.2""")


def set_up(guide, cluster):
    put_behind_the_router(cluster)
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, the site:")
    guide.follow(cluster, [1], "On web1, the configuration and the key:")
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, the start:")
    cluster.wait_active([1, 2, 3])
    guide.follow(cluster, ["router"], "On the router, which forwards")
    guide.follow(cluster, [1], "On web1, FRR:")
    guide.follow(cluster, [2], "On web2, BIRD:")
    guide.follow(cluster, [3], "On web3, FRR with an id")


def next_hops(guide, cluster):
    """The nodes to which the router sends, as `ip route` shows it in the guide."""
    shown = guide.follow(cluster, ["router"], "On the router, the three next hops:")["router"]
    return [node for node, address in HOPS.items() if f"via {address} " in shown]


def wait_hops(guide, cluster, nodes, what):
    begun = time.monotonic()
    cluster.wait_until(lambda: next_hops(guide, cluster) == nodes, f"{what}: the router sends to web{nodes}", seconds=40)
    print(f"{what}: the router sends to {nodes} after {time.monotonic() - begun:.2f} s")


def sent_on(cluster, node):
    return sum(each["packets"] for each in cluster.status(node)["sent_on"])


class Visitors:
    """Connections that stay open, over which each asks for the page in every round, all the time while in `with`."""

    def __init__(self, cluster, count):
        self.broken, self.rounds, self._stop = {}, 0, threading.Event()
        self._open, self.server = {}, {}
        with netns.inside(cluster.client):
            for source in web_clients.addresses(count):
                made = http.client.HTTPConnection(VIRTUAL_IP, timeout=20 * PATIENCE, source_address=(source, 0))
                made.connect()
                made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open[source] = made
                self.server[source] = self._ask(made)

    @staticmethod
    def _ask(connection):
        sock = connection.sock
        connection.request("GET", "/")
        text = connection.getresponse().read().decode()
        check(connection.sock is sock, "the server has ended the connection")
        return text.split()[-1].rstrip(".")

    def of(self, node):
        return [source for source, server in self.server.items() if server == f"web{node}" and source not in self.broken]

    def _talk(self):
        while not self._stop.is_set():
            for source, connection in self._open.items():
                if source in self.broken or self._stop.is_set():
                    continue
                try:
                    now = self._ask(connection)
                    check(now == self.server[source], f"{now} answers a connection of {self.server[source]}")
                except Exception as error:
                    self.broken[source] = f"{type(error).__name__}: {error}"
            self.rounds += 1

    def __enter__(self):
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def wait_round(self, cluster):
        """Everyone has been answered, from now on."""
        begun = self.rounds
        cluster.wait_until(lambda: self.rounds >= begun + 2, "every open connection was used", seconds=60)

    def check_whole(self, nodes, what):
        lost = {source: why for source, why in self.broken.items() if self.server[source] in {f"web{node}" for node in nodes}}
        check(not lost, f"{what}: {len(lost)} connections of web{nodes} are broken: {list(lost.items())[:3]}")


def drain(guide, cluster, visitors):
    """No client notices, neither new ones nor web2's own."""
    with web_clients.Clients(cluster, web_clients.addresses(200), per_second=100) as clients:
        cluster.nlbctl("drain", node=2)
        wait_hops(guide, cluster, [1, 3], "web2 drains")
        visitors.wait_round(cluster)
        cluster.nlbctl("start", node=2)
        wait_hops(guide, cluster, [1, 2, 3], "web2 is back")
        visitors.wait_round(cluster)
    check(web_clients.count_failed(clients.requests) == 0, f"{web_clients.count_failed(clients.requests)} requests failed")
    visitors.check_whole([1, 2, 3], "web2 drains and comes back")
    print(f"drained and added: {len(clients.requests)} requests and {len(visitors.server)} open connections, all well")


def agent_dies(guide, cluster, visitors):
    """The kernel ends the announcement. What web3 had is others' within the usual time."""
    pid = cluster.machine[3].sh("cat /run/log/nlbd.pid").strip()
    with web_clients.Clients(cluster, web_clients.addresses(200), per_second=100) as clients:
        cluster.machine[3].sh(f"kill -KILL {pid}")
        wait_hops(guide, cluster, [1, 2], "web3's agent is killed")
        cluster.wait_active([1, 2])
        visitors.wait_round(cluster)
        cluster.machine[3].sh("rm -f /run/log/nlbd.pid; systemctl start nlbd")
        wait_hops(guide, cluster, [1, 2, 3], "web3's agent is started")
        cluster.wait_active([1, 2, 3])
        visitors.wait_round(cluster)
    failed = web_clients.count_failed(clients.requests)
    check(failed < len(clients.requests) / 20, f"{failed} of {len(clients.requests)} requests failed")
    visitors.check_whole([1, 2], "web3's agent dies")
    print(f"web3's agent dies and returns: {failed} of {len(clients.requests)} requests without an answer")


def server_dies(guide, cluster, visitors):
    """The power is gone. Until BGP's hold time is over the router sends it a third; then all is well, and it comes back."""
    with web_clients.Clients(cluster, web_clients.addresses(200), per_second=100) as clients:
        cluster.crash(1)
        died = time.monotonic()
        wait_hops(guide, cluster, [2, 3], "web1 is dead")
        over = time.monotonic()
        cluster.wait_active([2, 3])
        visitors.wait_round(cluster)
        netns.ip(cluster.namespace(1), "link delete nlbd-announce")  # as all that its kernel had
        cluster.revive(1, services="nginx frr")
        wait_hops(guide, cluster, [1, 2, 3], "web1 is back")
        cluster.wait_active([1, 2, 3])
        visitors.wait_round(cluster)
    late = [request for request in clients.requests if request.answer is None and request.started > over + 1]
    check(not late, f"{len(late)} requests fail though the router knows that web1 is dead: {late[:3]}")
    visitors.check_whole([2, 3], "web1 dies")
    print(f"web1 dies: the router needs {over - died:.1f} s; {len(visitors.broken)} of {len(visitors.server)} open connections lost")


def stop(guide, cluster, visitors):
    cluster.machine[2].sh("systemctl stop nlbd")
    wait_hops(guide, cluster, [1, 3], "nlbd has ended on web2")
    visitors.wait_round(cluster)
    visitors.check_whole([3], "web2 has gone")


def test():
    guide = Guide("ecmp")
    web = ["/var/lib/nginx", "/var/log/nginx", "/var/www/html"]
    state = {**{node: web for node in (1, 2, 3)}, "router": []}
    with guide.machines(nodes=3, state=state, others={"router": 250}, delivery="forward") as cluster:
        set_up(guide, cluster)
        wait_hops(guide, cluster, [1, 2, 3], "set up")
        said = guide.follow(cluster, [2], "On a server, what the router hears")[2]
        check("announced" in said, f"nlbctl status says: {said}")
        answered = web_clients.answered_by(cluster, web_clients.addresses(150))
        check(set(answered) == {"web1", "web2", "web3"}, f"150 requests: {answered}")
        for node in cluster.ids:
            check(sent_on(cluster, node) > 0, f"web{node} has sent nothing on: the router does not spread")
        with Visitors(cluster, 90) as visitors:
            drain(guide, cluster, visitors)
            agent_dies(guide, cluster, visitors)
            server_dies(guide, cluster, visitors)
            stop(guide, cluster, visitors)
            check(visitors.of(3) or visitors.of(2), "no connection has outlived it all")


main(test)
