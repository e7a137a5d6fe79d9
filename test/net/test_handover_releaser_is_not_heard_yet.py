# SPDX-License-Identifier: Apache-2.0
"""A node joins whom the beats of an old owner do not reach: it serves, but leaves that one's connections alone.

    client --- bridge (web2's beats to web3 are lost) --- web1 (leads, no share), web2 (has connections), web3 (joins)

The leader's word that web2 has let go is enough to serve; which connections web2 keeps, web2 alone can say.
"""

import connections
import cuts
import flows
from harness import VIP4, Cluster, check, main
from witness import Witness


def test():
    for partition in ("serve", "quorum"):
        with Cluster(nodes=3, heartbeat=f'partition = "{partition}"', weights={1: 0}) as cluster:
            cluster.start(1)
            cluster.wait_until(lambda: has_listened(cluster), "web1 can lead")
            cluster.start(2)
            cluster.start(3)
            cluster.wait_active([1, 2, 3])
            cluster.nlbctl("stop", node=3)
            cluster.wait_active([1, 2])
            held = connections.Held(cluster.client, flows.many(200, VIP4, 7001))
            cluster.wait_until(lambda: cluster.status(2)["connections"]["lingering_groups"] == 0, "nothing lingers yet")
            cuts.cut(cluster, ["web2"], ["web3"])
            cluster.wait_until(lambda: not_heard(cluster), "web3 does not hear web2")
            with Witness(cluster.switch) as seen:
                cluster.nlbctl("start", node=3)
                cluster.wait_until(lambda: cluster.members(cluster.status(1)) == [1, 2, 3] and
                                   cluster.status(3)["view"]["installed"], "web3 serves")
                broken = held.talk()
                check(not broken, f"{len(broken)} of {len(held)} connections broke: {list(broken.items())[:3]}")
                got = flows.ask_tcp(cluster.client, flows.many(300, VIP4, 7001, seed=2))
                check(set(got.values()) == {"web2", "web3"}, f"new connections went to {set(got.values())}")
                guarded = cluster.status(3)["counters"]["guarded"]
                check(guarded > 0, "web3 has left nobody's connection alone: nothing was tried")
                cuts.mend(cluster)
                cluster.wait_active([1, 2, 3])
                check(not held.talk(), f"mended, connections broke: {held.broken}")
            seen.check_undisturbed(held.owners)


def has_listened(cluster):
    status = cluster.status(1)
    return status and (status["state"] == "active" or "needs" in (status["reason"] or ""))


def not_heard(cluster):
    return next(node for node in cluster.status(3)["members"] if node["id"] == 2)["reason"] == "not heard"


main(test)
