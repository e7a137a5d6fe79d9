# SPDX-License-Identifier: Apache-2.0
"""Datagrams for a virtual IP, hidden in VLAN tags of number 0, which the kernel takes off however many there are, and sent to
each node's own MAC address: no node answers one that is another node's, by whatever datapath it filters.

    client --- bridge --- web1 (XDP), web2 (tc), web3 (pcap)
"""

import select
import socket
import struct

import flows
import fragments
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import expected
from witness import ETH_P_IP, ETH_P_IPV6

MOST_TAGS = 5


def own_mac(cluster, who):
    return bytes.fromhex(netns.mac_of(cluster.namespace(who)).replace(":", ""))


def tagged(to, sender, packet, tags):
    kind = ETH_P_IP if packet[0] >> 4 == 4 else ETH_P_IPV6
    return to + sender + struct.pack("!HH", 0x8100, 0) * tags + struct.pack("!H", kind) + packet


def answers(sockets, seconds):
    """flow -> who answered, in the order of the answers, until none has come for that time."""
    names = {flow: [] for flow in sockets}
    of = {made.fileno(): flow for flow, made in sockets.items()}
    poll = select.epoll()
    for descriptor in of:
        poll.register(descriptor, select.EPOLLIN)
    while events := poll.poll(seconds):
        for descriptor, _ in events:
            names[of[descriptor]].append(sockets[of[descriptor]].recv(2048).decode().split()[0])
    return names


def ask(cluster, asked, tags):
    """flow -> who answered, when each datagram goes to each node."""
    with netns.inside(cluster.client):
        sockets = {flow: flows.open_socket(flow, socket.SOCK_DGRAM) for flow in asked}
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0))
    client = own_mac(cluster, "client")
    for node in cluster.ids:
        mac = own_mac(cluster, node)
        for flow in asked:
            packet, = fragments.fragments(flow, b"0", 1)
            wire.send(tagged(mac, client, packet, tags))
    names = answers(sockets, 0.5)
    for made in [*sockets.values(), wire]:
        made.close()
    return names


def test():
    with Cluster(nodes=3, datapaths={1: "xdp", 2: "tc", 3: "pcap"}) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for address in (VIP4, VIP6):
            asked = flows.many(60, address, 7001)
            owners = expected(cluster, "udp", asked)
            answered = flows.ask_udp(cluster.client, asked)
            check(all(answered[flow] == [owners[flow]] for flow in asked), "the plain datagrams are not answered")
            check(any(ask(cluster, asked, 1).values()), "nobody takes what comes in a tag")
            for tags in range(1, MOST_TAGS + 1):
                wrong = {flow: names for flow, names in ask(cluster, asked, tags).items() if set(names) - {owners[flow]}}
                check(not wrong, f"in {tags} tags, others than the owner answered {len(wrong)} of 60: {list(wrong.items())[:3]}")


main(test)
