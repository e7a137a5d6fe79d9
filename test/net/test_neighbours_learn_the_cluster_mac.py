# SPDX-License-Identifier: Apache-2.0
"""ARP and neighbour discovery give the cluster MAC, from one node; the switch never learns it. In each MAC mode.

    client --- bridge (witness) --- web1, web2, web3

The cluster MAC as an Ethernet source would teach a switch one port for it, and cut the other nodes off. A node's own
MAC for a virtual IP would send all clients' traffic to that node. What a node says for itself comes from its own MAC,
and so it is reached by the others: also where the cluster MAC is a unicast address.
"""

import json
import socket

import flows
import netns
from fdb import FdbWatch
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp
from witness import ETH_P_ARP, ETH_P_IPV6, Witness

MODES = {"multicast": "03:bf:c0:00:02:64", "igmp": "01:00:5e:7f:02:64", "unicast": "02:bf:c0:00:02:64"}


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


def resolve(cluster, mac, expected_speaker):
    """Clients ask anew; one node answers, with the cluster MAC."""
    netns.run(cluster.client, "ip", "neighbour", "flush", "dev", "eth0")
    with Witness(cluster.switch) as seen:
        for address in (VIP4, VIP6):
            check_tcp(cluster, flows.many(200, address, 7001))
            check(neighbour(cluster, address) == mac,
                  f"the client has {neighbour(cluster, address)} for {address}, not {mac}")
    claimed = {(port, told) for port, frame in seen.frames if (told := claims(frame))}
    check(claimed == {(expected_speaker, mac)},
          f"who said what about the virtual IPs: {sorted(claimed)}, expected {expected_speaker} alone")


def own_socket(cluster, node, six):
    family, address = (socket.AF_INET6, f"2001:db8::{node:x}") if six else (socket.AF_INET, f"192.0.2.{node}")
    with netns.inside(cluster.namespace(node)):
        made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind((address, 5000))
    made.settimeout(10)
    return made


def reach_each_other(cluster):
    """Every node talks to every other one, both under addresses of their own."""
    for six in (False, True):
        made = {node: own_socket(cluster, node, six) for node in cluster.ids}
        for node in cluster.ids:
            for other in set(cluster.ids) - {node}:
                made[node].sendto(b"hello", made[other].getsockname())
                check(made[other].recvfrom(100) == (b"hello", made[node].getsockname()),
                      f"web{node} does not reach web{other}")
        for each in made.values():
            each.close()


def live(cluster, mac):
    """Starts, stops, crashes and restarts of all kinds."""
    cluster.start_all()
    cluster.wait_active([1, 2, 3])
    resolve(cluster, mac, "web1")  # the default host: the lowest id
    reach_each_other(cluster)
    cluster.crash(1)
    cluster.wait_active([2, 3])
    resolve(cluster, mac, "web2")
    cluster.revive(1)
    cluster.wait_active([1, 2, 3])
    resolve(cluster, mac, "web1")
    cluster.kill(1)
    cluster.start(1)  # at once: it resumes
    cluster.wait_active([1, 2, 3])
    cluster.nlbctl("stop", node=1)
    cluster.wait_active([2, 3])
    resolve(cluster, mac, "web2")
    cluster.nlbctl("start", node=1)
    cluster.wait_active([1, 2, 3])
    resolve(cluster, mac, "web1")
    reach_each_other(cluster)
    for node in cluster.ids:
        cluster.terminate(node)


def own_mac(cluster, who):
    return netns.mac_of(cluster.namespace(who))


def test_mode(mode, mac):
    with Cluster(nodes=3, cluster=f'mac_mode = "{mode}"') as cluster:
        with Witness(cluster.switch) as seen, FdbWatch(cluster.switch) as learned:
            live(cluster, mac)
        check(mac not in seen.sources(), f"{mode}: {seen.sources().get(mac)} sent frames from the cluster MAC")
        check(learned.mentions(own_mac(cluster, 1)), "the watch on the forwarding table sees nothing")
        check(not learned.mentions(mac), f"{mode}: the bridge has learned the cluster MAC")
        wrong = {(port, told) for port, frame in seen.frames if (told := claims(frame)) and told != mac}
        check(not wrong, f"{mode}: a node's own MAC was announced for a virtual IP: {wrong}")
        for node in cluster.ids:
            sources = {source for source, ports in seen.sources().items() if f"web{node}" in ports}
            check(sources == {own_mac(cluster, node)}, f"{mode}: web{node} sent from {sources}")


def test():
    for mode, mac in MODES.items():
        test_mode(mode, mac)


main(test)
