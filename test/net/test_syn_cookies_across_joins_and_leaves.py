# SPDX-License-Identifier: Apache-2.0
"""Every connection made by SYN cookies: nodes leave and join, no request fails and no connection breaks.

    client --- bridge --- web1, web2, web3 (net.ipv4.tcp_syncookies = 2)

With cookies a server keeps nothing of a handshake and repeats nothing: an ACK that came to a node which does not know
it would be lost for good, and the client would wait in silence.

Namespaces share the secret that a kernel makes its cookies with. So for a while after a change the old owner here takes
the new one's cookies for its own, and both answer, with the same numbers; on two machines it does not. The test
therefore does not ask which node has answered a new connection.
"""

import flows
import netns
from connections import Held
from harness import VIP4, VIP6, Cluster, check, main


def cookies(cluster, node):
    """How many the node has sent, and how many it has been shown again."""
    names, values = [line.split()[1:] for line in netns.run(cluster.namespace(node), "cat", "/proc/net/netstat")
                     .stdout.splitlines() if line.startswith("TcpExt:")]
    counted = dict(zip(names, map(int, values)))
    return counted["SyncookiesSent"], counted["SyncookiesRecv"]


def test():
    with Cluster(nodes=3) as cluster:
        for node in cluster.ids:
            netns.sysctl(cluster.namespace(node), "net.ipv4.tcp_syncookies", 2)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        cluster.wait_until(lambda: not any(cluster.status(node)["connections"]["lingering_groups"]
                                           for node in cluster.ids), "nothing lingers any more")
        held = Held(cluster.client, flows.many(150, VIP4, 7001) + flows.many(150, VIP6, 7001))
        check(set(held.owners.values()) == {"web1", "web2", "web3"}, "not all nodes serve")
        load = flows.Load(cluster.client, flows.many(200, VIP4, 7002) + flows.many(200, VIP6, 7002), per_second=200,
                          patience=15.0)
        load.start()

        def ask_on():
            enough = len(load.attempts) + 100
            cluster.wait_until(lambda: len(load.attempts) > enough, "the load goes on")

        for node in (2, 3, 1):
            cluster.nlbctl("stop", node=node)
            cluster.wait_active([other for other in cluster.ids if other != node])
            ask_on()
            check(not held.talk(), f"connections broke when web{node} left: {held.broken}")
            cluster.nlbctl("start", node=node)
            cluster.wait_active([1, 2, 3])
            ask_on()
            check(not held.talk(), f"connections broke when web{node} joined: {held.broken}")
        attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")
        held.close()
        for node in cluster.ids:
            check(min(cookies(cluster, node)) > 50, f"web{node} has sent and seen {cookies(cluster, node)} cookies")


main(test)
