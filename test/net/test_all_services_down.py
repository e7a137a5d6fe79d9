# SPDX-License-Identifier: Apache-2.0
"""A service that works on no node: served all the same, or by nobody, as when_all_down says. One that flaps is held.

    client --- bridge --- web1, web2
"""

import time

import services
from harness import VIP4, Cluster, check, main

SERVE, REJECT = 7040, 7041


def refused(cluster, port):
    """Whether every attempt is answered with a refusal, and at once."""
    begun = time.monotonic()
    names = services.answering(cluster, port, 60)
    return names == {None} and time.monotonic() - begun < 3


def buckets(cluster, name):
    return [services.shown(cluster, node, name)["buckets"] for node in cluster.ids]


def unowned(cluster):
    counters = cluster.status(1)["counters"]
    return counters["no_owner"] + counters["lingering_syn"]  # the latter in the first seconds after a change


def check_all_down(cluster, serve, reject):
    for node in cluster.ids:
        serve.kill(node)
        reject.kill(node)
    for node in cluster.ids:
        services.wait_healthy(cluster, node, False, "serve")
    cluster.wait_until(lambda: sum(buckets(cluster, "serve")) == 65536 and min(buckets(cluster, "serve")) > 10000,
                       "both serve what works nowhere")
    cluster.wait_until(lambda: buckets(cluster, "reject") == [0, 0], "nobody serves it")
    check("served: no node is healthy" in services.shown(cluster, 1, "serve")["reason"], "serve: the reason")
    cluster.wait_until(lambda: refused(cluster, SERVE), "the hosts refuse, as without a load balancer")
    before = unowned(cluster)
    check(services.answering(cluster, REJECT, 20, 1.0) == {None}, "reject: somebody has answered")
    check(unowned(cluster) > before, "reject: what was dropped is not counted")
    told = cluster.nlbctl("explain", "tcp", "198.51.100.7:40000", f"{VIP4}:{REJECT}", node=1).stdout
    check("unhealthy on every member" in told, f"explain: {told}")


def check_one_returns(cluster, serve, reject):
    serve.start(2)
    reject.start(2)
    for name, port in (("serve", SERVE), ("reject", REJECT)):
        cluster.wait_until(lambda: buckets(cluster, name) == [0, 65536], f"web2 alone serves {name}")
        check(services.answering(cluster, port) == {"web2"}, f"{name}: who answers")
    # Drained by an order, it does not serve, although the others' service does not work.
    cluster.nlbctl("drain-rule", "serve", "web2", node=1)
    cluster.wait_until(lambda: buckets(cluster, "serve") == [65536, 0], "an order counts more than health")
    cluster.nlbctl("enable", "serve", "web2", node=1)
    cluster.wait_until(lambda: buckets(cluster, "serve") == [0, 65536], "web2 alone serves it again")


def check_flapping(cluster, serve):
    """The fourth fall within a minute costs a hold; the other node serves meanwhile."""
    serve.start(1)
    cluster.wait_until(lambda: min(buckets(cluster, "serve")) > 10000, "both serve")
    for _ in range(5):
        serve.kill(1)
        services.wait_healthy(cluster, 1, False, "serve")
        serve.start(1)
        held = cluster.wait_until(lambda: next((health for health in [services.shown(cluster, 1, "serve")]
                                                if health["healthy"] or health["health"]["held_down_ms"]), None),
                                  "healthy again, or held down")
        if not held["healthy"]:
            break
    check(held["health"]["held_down_ms"] > 0, f"a service that falls again and again is not held down: {held}")
    check("held down for" in held["reason"], f"the reason does not say it: {held['reason']}")
    check(services.answering(cluster, SERVE) <= {"web1", "web2"}, "the hold costs connections")
    # Needed, it does not wait.
    serve.kill(2)
    cluster.wait_until(lambda: services.shown(cluster, 1, "serve")["healthy"], "a node that is needed is held down")
    check(services.answering(cluster, SERVE) == {"web1"}, "who answers when the other one has died")


def test():
    rules = services.rule('when_all_down = "serve"', SERVE, "serve") + services.rule(
        'when_all_down = "reject"', REJECT, "reject")
    with Cluster(nodes=2, rules=rules) as cluster:
        serve, reject = (services.Services(cluster, port=port) for port in (SERVE, REJECT))
        cluster.start_all()
        cluster.wait_active([1, 2])
        cluster.wait_until(lambda: min(buckets(cluster, "serve") + buckets(cluster, "reject")) > 10000, "both serve")
        check_all_down(cluster, serve, reject)
        check_one_returns(cluster, serve, reject)
        check_flapping(cluster, serve)


main(test)
