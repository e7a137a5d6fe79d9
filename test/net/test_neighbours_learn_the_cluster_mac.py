# SPDX-License-Identifier: Apache-2.0
"""ARP and neighbour discovery give the cluster MAC, from one node; the switch never learns it.

    client --- bridge (witness) --- web1, web2, web3

The cluster MAC as an Ethernet source would teach a switch one port for it, and cut the other nodes off. A node's own
MAC for a virtual IP would send all clients' traffic to that node.
"""

import json
import socket

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp
from witness import ETH_P_ARP, ETH_P_IPV6, Witness

CLUSTER_MAC = "03:bf:c0:00:02:64"


def neighbour(cluster, address):
    entries = json.loads(netns.run(cluster.client, "ip", "-j", "neighbour", "show", address).stdout)
    return entries[0].get("lladdr") if entries else None


def claims(frame):
    """The MAC address that a frame claims for a virtual IP, and to whom; None when it claims nothing."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == ETH_P_ARP and frame[28:32] == socket.inet_aton(VIP4):
        return frame[22:28].hex(":")
    if kind == ETH_P_IPV6 and frame[20] == socket.IPPROTO_ICMPV6 and frame[54] in (135, 136):
        target, option = frame[62:78], frame[78:86]
        if frame[54] == 136 and target == socket.inet_pton(socket.AF_INET6, VIP6) and option[:1] == b"\2":
            return option[2:8].hex(":")
        if frame[54] == 135 and frame[22:38] == socket.inet_pton(socket.AF_INET6, VIP6) and option[:1] == b"\1":
            return option[2:8].hex(":")
    return None


def resolve(cluster, expected_speaker):
    """Clients ask anew; one node answers, with the cluster MAC."""
    netns.run(cluster.client, "ip", "neighbour", "flush", "dev", "eth0")
    with Witness(cluster.switch) as seen:
        for address in (VIP4, VIP6):
            check_tcp(cluster, flows.many(200, address, 7001))
            check(neighbour(cluster, address) == CLUSTER_MAC,
                  f"the client has {neighbour(cluster, address)} for {address}, not {CLUSTER_MAC}")
    claimed = {(port, mac) for port, frame in seen.frames if (mac := claims(frame))}
    check(claimed == {(expected_speaker, CLUSTER_MAC)},
          f"who said what about the virtual IPs: {sorted(claimed)}, expected {expected_speaker} alone")
    return seen


def check_switch(cluster, seen):
    check(CLUSTER_MAC not in seen.sources(), f"{seen.sources().get(CLUSTER_MAC)} sent frames from the cluster MAC")
    learned = netns.run(cluster.switch, "bridge", "fdb", "show").stdout
    check(CLUSTER_MAC not in learned, f"the bridge has learned the cluster MAC:\n{learned}")


def test():
    with Cluster(nodes=3) as cluster:
        with Witness(cluster.switch) as whole_life:
            cluster.start_all()
            cluster.wait_active([1, 2, 3])
            resolve(cluster, "web1")  # the default host: the lowest id
            cluster.crash(1)
            cluster.wait_active([2, 3])
            resolve(cluster, "web2")
            cluster.revive(1)
            cluster.wait_active([1, 2, 3])
            resolve(cluster, "web1")
            for node in cluster.ids:
                cluster.terminate(node)
        check_switch(cluster, whole_life)
        wrong = {(port, mac) for port, frame in whole_life.frames if (mac := claims(frame)) and mac != CLUSTER_MAC}
        check(not wrong, f"a node's own MAC was announced for a virtual IP: {wrong}")


main(test)
