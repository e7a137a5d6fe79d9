# SPDX-License-Identifier: Apache-2.0
"""A virtual IP that others have, too: clients' neighbour entries, which no time limit ends, become the cluster's again by what
the cluster says of itself, and each other holder of the address is named.

- A server had it before the cluster starts.
- It is added to a node's own interface while the agent runs, and taken away again.
- A stranger says again and again that it is his, in either kind of ARP message and by neighbour advertisement.

    client --- bridge --- web1, web2, web3, old (a server, and the stranger)
"""

import socket
import struct
import threading

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp

CLUSTER_MAC = "03:bf:c0:00:02:64"
ADDRESSES = (VIP4, VIP6)
LENGTHS = {VIP4: 24, VIP6: 64}


def entry(cluster, address):
    """The MAC address that the client has for it."""
    words = netns.run(cluster.client, "ip", "neighbour", "show", "to", address, "dev", "eth0").stdout.split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else None


def ask_for(cluster, address):
    """The same, once it has asked."""
    with netns.inside(cluster.client), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                                     socket.SOCK_DGRAM) as made:
        made.sendto(b"", (address, 9))
    return entry(cluster, address)


def problem(cluster, node, name):
    return next((problem for problem in cluster.status(node)["problems"] if problem["name"] == name), None)


def change(namespace, verb, address):
    netns.ip(namespace, f"address {verb} {address}/{LENGTHS[address]} dev eth0 {'nodad' if verb == 'add' else ''}")


def check_served(cluster):
    for address in ADDRESSES:
        check_tcp(cluster, flows.many(60, address, 7001))
        check_udp(cluster, flows.many(60, address, 7001))


def wait_for_the_cluster_mac(cluster):
    for address in ADDRESSES:
        cluster.wait_until(lambda: entry(cluster, address) == CLUSTER_MAC, f"the client has the cluster's MAC for {address}",
                           seconds=10)


def had_by_a_server(cluster):
    old = cluster.namespace("old")
    for address in ADDRESSES:
        change(old, "add", address)
        cluster.wait_until(lambda: ask_for(cluster, address) == netns.mac_of(old), "the client has the server's MAC to begin with")
        change(old, "delete", address)
    cluster.start_all()
    cluster.wait_active(cluster.ids)
    wait_for_the_cluster_mac(cluster)
    check_served(cluster)


def added_to_a_node(cluster):
    for address in ADDRESSES:
        change(cluster.namespace(2), "add", address)
        told = cluster.wait_until(lambda: problem(cluster, 2, "virtual_ip_elsewhere"), "web2 names it")
        check(f"virtual IP {address}: is an address of eth0" in told["text"] and
              f"ip address delete {address}/{LENGTHS[address]} dev eth0" in told["way_out"], f"it says {told}")
        for _ in range(4):
            netns.run(cluster.client, "ip", "neighbour", "flush", "dev", "eth0")
            check_served(cluster)
            check(entry(cluster, address) == CLUSTER_MAC, "the node's kernel has answered")
        change(cluster.namespace(2), "delete", address)
        cluster.wait_until(lambda: not problem(cluster, 2, "virtual_ip_elsewhere"), "the problem is over")
        check_served(cluster)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def arp(mac, operation):
    """An ARP announcement of the virtual IP, in either form (RFC 5227, section 3)."""
    target = bytes(6) if operation == 1 else mac
    address = socket.inet_aton(VIP4)
    return (b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation) + mac + address + target + address)


def advertisement(mac):
    """To all nodes, with the flag to override what they have."""
    source, all_nodes = socket.inet_pton(socket.AF_INET6, VIP6), socket.inet_pton(socket.AF_INET6, "ff02::1")
    message = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + source + b"\x02\x01" + mac
    sum_of = checksum(source + all_nodes + struct.pack("!II", len(message), 58) + message)
    message = message[:2] + struct.pack("!H", sum_of) + message[4:]
    return (bytes.fromhex("333300000001") + mac + struct.pack("!HIHBB", 0x86dd, 6 << 28, len(message), 58, 255) + source +
            all_nodes + message)


class Claims(threading.Thread):
    """with Claims(namespace, frames): they are sent ten times a second."""

    def __init__(self, namespace, frames):
        super().__init__(daemon=True)
        with netns.inside(namespace):
            self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._wire.bind(("eth0", 0))
        self._frames, self._over = frames, threading.Event()

    def run(self):
        while not self._over.wait(0.1):
            for frame in self._frames:
                self._wire.send(frame)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self._over.set()
        self.join()
        self._wire.close()


def claimed_by_a_stranger(cluster):
    old = cluster.namespace("old")
    mac = bytes.fromhex(netns.mac_of(old).replace(":", ""))
    for frame, address in ((arp(mac, 1), VIP4), (arp(mac, 2), VIP4), (advertisement(mac), VIP6)):
        with Claims(old, [frame]):
            for node in cluster.ids:
                told = cluster.wait_until(lambda: problem(cluster, node, "virtual_ip_claimed"), f"web{node} names it")
                check(address in told["text"] and netns.mac_of(old) in told["text"] and not told["serious"], f"it says {told}")
            cluster.wait_until(lambda: entry(cluster, address) == netns.mac_of(old), "the client is deceived", every=0)
        wait_for_the_cluster_mac(cluster)
        check_served(cluster)
        cluster.wait_until(lambda: not any(problem(cluster, node, "virtual_ip_claimed") for node in cluster.ids),
                           "the problem is over", seconds=60)


def test():
    with Cluster(nodes=3) as cluster:
        cluster.add_host("old")
        for version in ("ipv4", "ipv6"):
            netns.sysctl(cluster.client, f"net.{version}.neigh.eth0.base_reachable_time_ms", 100000000)
        had_by_a_server(cluster)
        added_to_a_node(cluster)
        claimed_by_a_stranger(cluster)


main(test)
