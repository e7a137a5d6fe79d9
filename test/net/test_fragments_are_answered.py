# SPDX-License-Identifier: Apache-2.0
"""UDP datagrams of 8 kB, in six fragments each, are answered whole, by their owner alone: each affinity, IPv4, IPv6.

    client --- bridge --- web1, web2, web3

In order, no node keeps a fragment of a datagram that is another node's: the memory for fragments, made small here, is
not used up by the other nodes' clients. Out of order, every node keeps what came before the first fragment.
"""

import random
import select
import socket

import flows
import netns
from fragments import Sender, fragments
from harness import SERVICE_PORTS, VIP4, VIP6, Cluster, check, main
from owners import check_udp, expected

PAYLOAD = random.Random(1).randbytes(8000)
SMALL = 256 * 1024  # of memory for fragments: twenty datagrams


def ask(cluster, asked, send):
    """Each flow sends one datagram, a few at a time. Every answer must be its owner's, and whole."""
    wanted = expected(cluster, "udp", asked)
    for start in range(0, len(asked), 20):
        some = asked[start:start + 20]
        with netns.inside(cluster.client):
            sockets = {flows.open_socket(flow, socket.SOCK_DGRAM): flow for flow in some}
        for made, flow in sockets.items():
            send(made, flow)
        while sockets:
            ready = select.select(list(sockets), [], [], 10)[0]
            check(ready, f"no answer to {len(sockets)} of {len(some)} datagrams, {next(iter(sockets.values()), '')}")
            for made in ready:
                flow = sockets.pop(made)
                name, text = made.recv(65536).split(b" ", 1)
                made.close()
                check(text == PAYLOAD, f"{flow}: another text came back")
                check(name.decode() == wanted[flow], f"{flow}: answered by {name.decode()}, not {wanted[flow]}")


def send_in_order(made, _):
    made.send(PAYLOAD)


def sender_out_of_order(cluster):
    dice, sender, number = random.Random(7), Sender(cluster.client, cluster.mac_of_frames()), iter(range(1, 1 << 16))

    def send(_, flow):
        packets = fragments(flow, PAYLOAD, next(number))
        first = packets.pop(0)
        dice.shuffle(packets)
        packets.insert(dice.randrange(1, len(packets) + 1), first)  # never the first to come
        sender.send(packets)

    return send


def waiting(cluster, node):
    """How many incomplete datagrams the node's stack holds, IPv4 and IPv6."""
    lines = netns.run(cluster.namespace(node), "cat", "/proc/net/sockstat", "/proc/net/sockstat6").stdout.splitlines()
    return sum(int(line.split()[2]) for line in lines if line.startswith("FRAG"))


def make_memory_small(cluster):
    for node in cluster.ids:
        for key in ("net.ipv4.ipfrag", "net.ipv6.ip6frag"):
            netns.sysctl(cluster.namespace(node), f"{key}_low_thresh", SMALL // 2)
            netns.sysctl(cluster.namespace(node), f"{key}_high_thresh", SMALL)


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        make_memory_small(cluster)
        for address in (VIP4, VIP6):
            check_udp(cluster, flows.many(100, address, 7001, seed=3))  # all know their neighbours' MAC addresses
            for port in SERVICE_PORTS:
                ask(cluster, flows.many(150, address, port), send_in_order)
        for node in cluster.ids:
            counters = cluster.status(node)["counters"]
            check(waiting(cluster, node) == 0, f"web{node} holds parts of {waiting(cluster, node)} datagrams")
            # With forwarding no node but the receiver sees those of others, which go where the first one went.
            others = counters["foreign_fragment"] > 0 or cluster.delivery == "forward"
            check(others and counters["later_fragment"] > 0, f"web{node} has counted no fragments")
        for node in cluster.ids:
            for key in ("net.ipv4.ipfrag", "net.ipv6.ip6frag"):
                netns.sysctl(cluster.namespace(node), f"{key}_high_thresh", 4 << 20)
        send = sender_out_of_order(cluster)
        for address in (VIP4, VIP6):
            for port in SERVICE_PORTS:
                ask(cluster, flows.many(40, address, port, seed=2), send)
        check(any(waiting(cluster, node) for node in cluster.ids), "nothing came out of order")


if __name__ == "__main__":
    main(test)
