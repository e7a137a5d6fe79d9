# SPDX-License-Identifier: Apache-2.0
"""A node has a second interface in the clients' segment, which sees every frame: nothing is answered by it.

                                 eth0
    client --- bridge --- web1 <      , web2, web3
                                 eth2 (promiscuous, an address of its own; one that is there at the start, one later)
"""

import socket

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp
from witness import Witness

QUESTIONS = 6


def add_interface(cluster, name, number):
    netns.ip(cluster.switch, f"""
        link add second{number} type veth peer name {name} netns {cluster.namespace(1)}
        link set second{number} master bridge0
        link set second{number} up""")
    netns.ip(cluster.namespace(1), f"""
        link set {name} promisc on up
        address add 192.0.2.{number}/24 dev {name}
        address add 2001:db8::{number:x}/64 dev {name} nodad""")


def check_nothing_comes_by(cluster, port):
    """Not one answer to a client, and no word about a virtual IP, leaves by this port."""
    with Witness(cluster.switch) as seen:
        for _ in range(QUESTIONS):
            for address in (VIP4, VIP6):
                netns.run(cluster.client, "ip", "neighbour", "flush", "to", address, "dev", "eth0")
                check_udp(cluster, flows.many(5, address, 7001))  # one answer each
                check_tcp(cluster, flows.many(5, address, 7001))
    said = [frame for name, frame in seen.frames if name == port]
    for family, address in ((socket.AF_INET, VIP4), (socket.AF_INET6, VIP6)):
        wrong = [frame.hex(" ") for frame in said if socket.inet_pton(family, address) in frame]
        check(not wrong, f"{len(wrong)} frames with {address} left by {port}: {wrong[:2]}")


def test():
    with Cluster(nodes=3) as cluster:
        add_interface(cluster, "eth2", 61)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_nothing_comes_by(cluster, "second61")
        add_interface(cluster, "eth3", 62)
        check_nothing_comes_by(cluster, "second62")


main(test)
