# SPDX-License-Identifier: Apache-2.0
"""A service dies on one node: its rule's clients go to the others, another rule's stay, and no client is refused.

    client --- bridge --- web1, web2, web3      rules none, single, network: one server; shop: another
"""

import time

import connections
import flows
import services
from configuration import RULES
from harness import VIP4, VIP6, Cluster, check, main


def check_told(cluster):
    mine = services.shown(cluster, 2)
    check(mine["reason"] == f"unhealthy: no process listens on port {services.PORT}", f"reason: {mine}")
    members = {member["id"]: member["unhealthy_rules"] for member in cluster.status(1)["members"]}
    check(members == {1: [], 2: ["shop"], 3: []}, f"members: {members}")
    check("unhealthy: shop" in cluster.nlbctl("members", node=1).stdout, "people do not see it in members")
    check("unhealthy" in cluster.nlbctl("rules", node=2).stdout, "people do not see it in rules")
    here, there = (cluster.nlbctl("events", node=node).stdout for node in (2, 1))
    check(f"rule shop: unhealthy (no process listens on port {services.PORT})" in here, f"events:\n{here}")
    check("web2 without rule shop (unhealthy)" in there, f"the others' events:\n{there}")
    told = cluster.nlbctl("explain", "tcp", "198.51.100.7:40000", f"{VIP4}:{services.PORT}", node=2).stdout
    check("unhealthy there" in told, f"explain:\n{told}")


def dies(cluster, shops, held):
    """Under load: connections to the dead server are lost; every later connection is answered, once."""
    load = flows.Load(cluster.client, flows.many(300, VIP4, services.PORT), per_second=200, patience=5.0)
    load.start()
    time.sleep(1)
    shops.kill(2)
    died = time.monotonic()
    services.wait_healthy(cluster, 2, False)
    cluster.wait_until(lambda: services.shown(cluster, 2)["buckets"] == 0, "web2 lets go of the rule")
    moved = time.monotonic()
    cluster.wait_until(lambda: sum(one.started > moved for one in load.attempts) > 100, "the load goes on")
    later = [one for one in load.stop() if one.started > died]
    failed = [one for one in later if one.answer is None]
    check(not failed, f"{len(failed)} of {len(later)} new connections failed: {failed[:3]}")
    check({one.answer for one in later if one.started > moved} == {"web1", "web3"}, "who answers afterwards")
    check(services.shown(cluster, 1)["healthy"] is True, "web1's service lives")
    check(cluster.status(2)["rules"][0]["buckets"] > 10000, "another rule has gone with it")
    check(not held.talk(), f"{len(held.broken)} connections of another rule broke: {list(held.broken.items())[:3]}")


def returns(cluster, shops):
    load = flows.Load(cluster.client, flows.many(300, VIP4, services.PORT, seed=2), per_second=200, patience=5.0)
    load.start()
    shops.start(2)
    cluster.wait_until(lambda: services.shown(cluster, 2)["buckets"] > 10000, "web2 serves the rule again")
    attempts = load.stop()
    check(all(one.answer for one in attempts), "the service's return cost connections")
    check(services.answering(cluster) == {"web1", "web2", "web3"}, "who answers after the return")


def only_the_listener_goes(cluster, shops):
    """Connections that are open stay where they are, although the rule's new ones go elsewhere."""
    held = connections.Held(cluster.client, [flow for vip in (VIP4, VIP6)
                                             for flow in flows.many(40, vip, services.PORT, seed=3)])
    check(len(held.of("web2")) > 10, "web2 got too few connections to say anything")
    shops.close_listeners(2)
    services.wait_healthy(cluster, 2, False)  # without any traffic
    cluster.wait_until(lambda: services.shown(cluster, 2)["buckets"] == 0, "web2 lets go of the rule")
    check(not held.talk(), f"{len(held.broken)} open connections broke: {list(held.broken.items())[:3]}")
    check(services.answering(cluster) == {"web1", "web3"}, "new connections")
    check(not held.talk(), "open connections broke later")


def restarted_agent(cluster):
    """A new agent knows before its first beat what does not work here."""
    cluster.kill(2)
    cluster.start(2)
    cluster.wait_until(lambda: cluster.agree([1, 2, 3]), "web2 is back")
    check(services.shown(cluster, 2)["buckets"] == 0, "a new agent serves what does not work here")


def test():
    with Cluster(nodes=3, rules=RULES + services.rule()) as cluster:
        shops = services.Services(cluster)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        held = connections.Held(cluster.client, flows.many(60, VIP4, 7001) + flows.many(60, VIP6, 7001))
        check(services.answering(cluster) == {"web1", "web2", "web3"}, "at first all answer")
        dies(cluster, shops, held)
        check_told(cluster)
        returns(cluster, shops)
        only_the_listener_goes(cluster, shops)
        restarted_agent(cluster)
        check(not held.talk(), f"{len(held.broken)} connections of another rule broke")


main(test)
