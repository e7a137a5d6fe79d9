# SPDX-License-Identifier: Apache-2.0
"""Beats of web3 do not get out, or none reach it: it falls silent before the others take over, calls itself fenced, and
stays silent. Mended, it returns.

    client --- bridge (beats are lost between its ports, one way) --- web1, web2 | web3

With `partition = "serve"` a node that hears no other serves on, because the others may be dead: then two serve, until mended.
"""

import time

import cuts
from harness import Cluster, check, main
from watched import Watched


def shown(cluster, at, node):
    """(state, reason) of a node as another one, or itself, shows it."""
    member = next(member for member in cluster.status(at)["members"] if member["id"] == node)
    return member["state"], member["reason"]


def one_way(cluster, incoming, outgoing, others_say):
    def said():
        state, reason = shown(cluster, 1, 3)
        return state == others_say[0] and others_say[1] in (reason or "")

    before = {node: len(cluster.log(node)) for node in (1, 2)}
    with Watched(cluster) as watch:
        cuts.cut(cluster, incoming, outgoing)
        cluster.wait_active([1, 2])
        cluster.wait_until(lambda: shown(cluster, 3, 3)[0] == "fenced", "web3 calls itself fenced")
        cluster.wait_until(lambda: watch.moved() > 30, "its clients are answered by the others")
        cluster.wait_until(said, f"web1 says of web3: {others_say}")
        time.sleep(3)  # that nothing happens is what is tested
        reason = shown(cluster, 3, 3)[1]
        check(reason.startswith("fenced since ") and "its lease ran out" in reason, f"web3 says of itself: {reason}")
        cuts.mend(cluster)
        cluster.wait_active([1, 2, 3])
    watch.check_one_owner(changes=2)
    watch.check_served(["web3"])
    for node in (1, 2):
        since = cluster.log(node)[before[node]:].splitlines()
        gave_way = [line for line in since if "merge: " in line or "removed from the view" in line]
        check(not gave_way, f"web{node}, which served all the time, gave way to one that nobody heard: {gave_way}")


def owns_all(cluster, node):
    """Whether by its own account a node, or its side, has taken all buckets from the others."""
    shares = {member["id"]: member["share"] for member in cluster.status(node)["members"]}
    return cluster.status(node)["state"] == "active" and 0 == (shares[1] + shares[2] if node == 3 else shares[3])


def both_serve_until_mended(cluster, incoming, outgoing):
    cuts.cut(cluster, incoming, outgoing)
    cluster.wait_until(lambda: all(owns_all(cluster, node) for node in [1, 3]), "each side serves")
    cuts.mend(cluster)
    cluster.wait_active([1, 2, 3])
    with Watched(cluster) as watch:
        pass
    watch.check_one_owner(changes=0)
    watch.check_served()


def test():
    inside, outside = ["web3"], ["web1", "web2"]
    for partition in ("serve", "quorum"):
        with Cluster(nodes=3, heartbeat=f'partition = "{partition}"') as cluster:
            cluster.start_all()
            cluster.wait_active([1, 2, 3])
            one_way(cluster, inside, outside, ("dead", "not heard"))
            if partition == "quorum":
                one_way(cluster, outside, inside, ("fenced", "does not hear this node"))
            else:
                both_serve_until_mended(cluster, outside, inside)


main(test)
