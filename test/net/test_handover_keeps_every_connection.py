# SPDX-License-Identifier: Apache-2.0
"""Nodes join, stop and return under hundreds of long-lived connections: idle ones, bulk in both directions, half closed.

    client --- bridge --- web1, web2, web3 (joins)

None may be reset and none may stall, also long after the change; when they have ended, nothing lingers any more.
"""

import socket

import connections
import flows
from configuration import RULES
from harness import VIP4, VIP6, Cluster, check, main
from pairs import PORT, RULE, Bulk, Pairs, end_orderly, says


def lingering(cluster):
    return [cluster.status(node)["connections"]["lingering_groups"] for node in cluster.ids]


class Clients:
    def __init__(self, cluster):
        pairs = Pairs(cluster)
        # In few groups, so that what lingers exactly is less than everything.
        self.held = connections.Held(cluster.client, flows.many(150, VIP4, 7001) + flows.many(50, VIP6, 7002))
        made = [pairs.connect(flow) for flow in flows.many(24, VIP4, PORT)]
        self.bulk_pairs, self.from_server, self.from_client = made[:8], made[8:16], made[16:]
        for pair in self.from_server:
            pair.client.shutdown(socket.SHUT_WR)
        for pair in self.from_client:
            pair.server.shutdown(socket.SHUT_WR)
        self.bulk = Bulk(self.bulk_pairs)

    def check(self, when):
        broken = self.held.talk()
        check(not broken, f"{when}: {len(broken)} of {len(self.held)} connections broke, {list(broken.items())[:3]}")
        for sender, receiver, pairs in (("server", "client", self.from_server), ("client", "server", self.from_client)):
            for pair in pairs:
                check(says(getattr(pair, sender), getattr(pair, receiver), b"still here"),
                      f"{when}: a half-closed connection of web{pair.node} stalls, {sender} to {receiver}")
        try:
            self.bulk.all_flow()
        except AssertionError as failure:
            raise type(failure)(f"{when}: {failure}") from None

    def end(self):
        self.bulk.stop()
        self.held.close()
        for pair in self.bulk_pairs:  # with data under way: a reset, of the client's own
            pair.client.close()
            pair.server.close()
        for pair in self.from_server + self.from_client:
            end_orderly(pair.client, pair.server)


def test():
    with Cluster(nodes=3, rules=RULES + RULE) as cluster:
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        clients = Clients(cluster)
        clients.check("before anything")

        def change(verb, node, active):
            cluster.start(node) if verb == "join" else cluster.nlbctl(verb, node=node)
            cluster.wait_active(active)
            clients.check(f"web{node}: {verb}")

        change("join", 3, [1, 2, 3])
        change("stop", 2, [1, 3])
        change("start", 2, [1, 2, 3])
        change("stop", 1, [2, 3])  # the leader

        # At the switch all groups linger, for some seconds; then those that hold a connection elsewhere, exactly.
        cluster.wait_until(lambda: all(groups < 200 for groups in lingering(cluster)), "lingering becomes exact")
        check(lingering(cluster)[0] > 10, "web1 is stopped and has connections, but nothing lingers")
        told = [cluster.status(node)["connections"] for node in cluster.ids]
        check(0 < told[0]["lingering"] == told[0]["total"], f"web1 is stopped, so all of its connections linger: {told}")
        check(told[1]["lingering"] < told[1]["total"], f"web2 serves, and what it serves does not linger: {told}")
        clients.check("long after")
        change("start", 1, [1, 2, 3])
        clients.check("in the end")

        clients.end()
        cluster.wait_until(lambda: lingering(cluster) == [0, 0, 0], "nothing lingers without connections")


main(test)
