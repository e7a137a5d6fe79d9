# SPDX-License-Identifier: Apache-2.0
"""ICMP errors about a connection reach the node that has it, and it alone heeds them: IPv4 and IPv6, TCP and UDP.

    far  203.0.113.128/25, 2001:db8:f:1::/64
     | eth0 203.0.113.2 (MTU 1500)
     | eth1 203.0.113.1 (MTU 1400)
    router
     | eth0 192.0.2.253
    bridge --- web1, web2, web3

The router says "fragmentation needed" and "packet too big", and "unreachable", from an address of its own, which lies
in one node's bucket; the packets that it speaks of were sent by any of them.
"""

import contextlib
import errno
import select
import socket

import netns
from configuration import RULES
from flows import Flow, open_socket
from harness import VIP4, VIP6, Cluster, check, check_one_owner, main
from pairs import PORT, RULE, Pairs, bound

MTU = 1400
FAR = {VIP4: "203.0.113.{}", VIP6: "2001:db8:f:1::{}"}
RECVERR = {VIP4: (socket.IPPROTO_IP, 11), VIP6: (socket.IPPROTO_IPV6, 25)}


def add_far(cluster):
    """Makes the router and the hosts behind it; the namespace of these."""
    router, far = cluster.add_host("router"), cluster.namespace("far")
    netns.create(far)
    netns.ip(router, f"""
        link add eth1 mtu {MTU} type veth peer name eth0 mtu 1500 netns {far}
        address add 192.0.2.253/24 dev eth0
        address add 2001:db8::fd/64 dev eth0 nodad
        address add 203.0.113.1/25 dev eth1
        address add 2001:db8:f::1/64 dev eth1 nodad
        link set eth1 up
        route add 203.0.113.128/25 via 203.0.113.2""")
    netns.ip(far, """
        address add 203.0.113.2/25 dev eth0
        address add 2001:db8:f::2/64 dev eth0 nodad
        link set eth0 up
        route add local 203.0.113.128/25 dev lo
        route add local 2001:db8:f:1::/64 dev lo
        route add default via 203.0.113.1
        route add default via 2001:db8:f::1""")
    netns.ip(router, "route add 2001:db8:f:1::/64 via 2001:db8:f::2")
    for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        netns.sysctl(router, key, 1)
    for host in (router, far):
        for key in ("net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit"):
            netns.sysctl(host, key, 0)
    for node in cluster.ids:
        netns.ip(cluster.namespace(node), """
            route add 203.0.113.0/24 via 192.0.2.253
            route add 2001:db8:f::/48 via 2001:db8::fd""")
    return router, far


def download(pairs, size):
    """Every server sends so many bytes; whether all of them arrive."""
    left = {pair.server: size for pair in pairs}
    missing = {pair.client: size for pair in pairs}
    while missing:
        sending = [server for server, count in left.items() if count]
        readable, writable, _ = select.select(list(missing), sending, [], 20)
        if not readable and not writable:
            return False
        for server in writable:
            left[server] -= server.send(bytes(min(left[server], 65536)))
        for client in readable:
            missing[client] -= len(client.recv(1 << 20))
            if missing[client] == 0:
                del missing[client]
    return True


def knows_mtu(cluster, node, source, address):
    route = netns.run(cluster.namespace(node), "ip", "route", "get", source, "from", address).stdout
    return f"mtu {MTU}" in route


def check_path_mtu(cluster, pairs, address):
    check(download(pairs, 300_000), f"downloads from {address} through a path of MTU {MTU} stand still")
    for pair in pairs:
        knowing = {node for node in cluster.ids if knows_mtu(cluster, node, pair.flow.source, address)}
        check(knowing == {pair.node}, f"{pair.flow}: of web{pair.node}, but {knowing} know the path's MTU")


def check_unreachable(cluster, router, pair, address):
    """A connection whose client the router cannot reach any more."""
    pair.server.setsockopt(*RECVERR[address], 1)
    netns.ip(router, f"route add unreachable {pair.flow.source}")
    pair.server.send(b"are you there?")
    cluster.wait_until(lambda: pair.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in
                       (errno.EHOSTUNREACH, errno.ENETUNREACH), f"web{pair.node} is told that {pair.flow} is unreachable")


def received(servers, flow):
    """The nodes to whose socket this client's datagram has come. An error about an earlier one is none."""
    found = []
    for node, server in servers.items():
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            found += [node] if server.recvfrom(100)[1][:2] == (flow.source, flow.sport) else []
    return found


def check_port_unreachable(cluster, far, flow):
    """A datagram whose sender is gone when the answer comes."""
    servers = {node: bound(cluster.namespace(node), flow.destination, socket.SOCK_DGRAM) for node in cluster.ids}
    for server in servers.values():
        server.setsockopt(*RECVERR[flow.destination], 1)
    with netns.inside(far):
        client = open_socket(flow, socket.SOCK_DGRAM)
    client.send(b"a question")
    nodes = cluster.wait_until(lambda: received(servers, flow), f"{flow} is served")
    client.close()
    server = servers[nodes[0]]
    server.sendto(b"an answer", (flow.source, flow.sport))
    cluster.wait_until(lambda: server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED,
                       f"the server of {flow} is told that its client is gone")
    check_one_owner([f"web{node}" for node in nodes + received(servers, flow)], f"a datagram of {flow}")
    for server in servers.values():
        server.close()


def test():
    with Cluster(nodes=3, rules=RULES + RULE.replace('"tcp"', '"both"')) as cluster:
        router, far = add_far(cluster)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for address in (VIP4, VIP6):
            flows = [Flow(FAR[address].format(130 + number), 40000, address, PORT) for number in range(30)]
            through = Pairs(cluster, address, far)
            pairs = [through.connect(flow) for flow in flows]
            check({pair.node for pair in pairs} == {1, 2, 3}, "one node has no connection at all")
            check_path_mtu(cluster, pairs, address)
            for node in cluster.ids:
                check_unreachable(cluster, router, next(pair for pair in pairs if pair.node == node), address)
            for number in range(10):
                check_port_unreachable(cluster, far, Flow(FAR[address].format(200 + number), 40000, address, PORT))
        for node in cluster.ids:
            check(cluster.status(node)["counters"]["icmp_error"] > 0, f"web{node} has not seen an ICMP error")


main(test)
