# SPDX-License-Identifier: Apache-2.0
"""The cluster key is changed in three steps while clients come and go: no client notices.

    client --- bridge --- web1, web2, web3

With the key, the packet hash changes: other nodes get the same clients' new connections, and open ones stay.
"""

import shutil

import connections
import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp
from witness import Witness


def reload_everywhere(cluster):
    """Node by node, as it is done with configurations: all commands travel with the key in use."""
    for node in cluster.ids:
        cluster.nlbctl("reload", node=node)
    cluster.wait_until(lambda: not any(cluster.status(node)["reload"]["staged"] for node in cluster.ids),
                       "the reload is in force")


def step(cluster, option, talking):
    cluster.nlbctl("keygen", option, cluster.key_file)
    reload_everywhere(cluster)
    talking.goes_on(cluster)


def refused(cluster, why):
    done = cluster.nlbctl("reload", node=1, check_exit=False)
    check(done.returncode == 1 and why in done.stderr, f"reload: exit {done.returncode}: {done.stderr}")


def commands_travel(cluster, node):
    done = cluster.nlbctl("weight", "all", "default", node=node, check_exit=False)
    return done.returncode == 0


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        first = f"{cluster.directory}/first.key"
        shutil.copy2(cluster.key_file, first)
        asked = flows.many(300, VIP4, 7001, seed=7)
        owners_before = check_tcp(cluster, asked)
        held = connections.Held(cluster.client, flows.many(100, VIP4, 7001) + flows.many(100, VIP6, 7002))
        load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3))
        with Witness(cluster.switch) as seen, connections.Talking(held) as talking:
            load.start()
            step(cluster, "--next", talking)
            step(cluster, "--use", talking)
            step(cluster, "--drop", talking)
            attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")
        check(not held.broken, f"{len(held.broken)} connections broke: {list(held.broken.items())[:3]}")
        seen.check_undisturbed(held.owners)
        seen.check_one_answer()

        owners_after = check_tcp(cluster, asked)
        moved = sum(owners_before[flow] != owners_after[flow] for flow in asked)
        check(moved > len(asked) / 3, f"the packet hash is as it was: only {moved} of {len(asked)} flows moved")
        for node in cluster.ids:
            cluster.wait_until(lambda: commands_travel(cluster, node), f"web{node} has its commands done by all")

        # A key that comes from nowhere; and a node that was not there meanwhile, with the old one.
        newest = f"{cluster.directory}/newest.key"
        shutil.copy2(cluster.key_file, newest)
        shutil.copy2(first, cluster.key_file)
        refused(cluster, "holds another key")
        cluster.kill(3)
        cluster.wait_active([1, 2])
        cluster.start(3)
        cluster.wait_until(lambda: cluster.status(1)["beats"]["bad_tag"] > 0, "beats under the old key are refused")
        check(cluster.status(1)["members"][2]["state"] == "dead", "a node with the old key is a member")
        shutil.copy2(newest, cluster.key_file)
        cluster.wait_until(lambda: cluster.status(3)["beats"]["sent"] >= 40, "web3 has been there for longer than a death")
        with Witness(cluster.switch) as seen:
            check_tcp(cluster, flows.many(600, VIP4, 7001, seed=9))
        seen.check_one_answer()
        outside = cluster.status(3)
        check(outside["state"] == "joining" and "another key" in outside["reason"], f"web3 is {outside['state']}")
        cluster.kill(3)
        cluster.start(3)
        cluster.wait_active([1, 2, 3])


main(test)
