# SPDX-License-Identifier: Apache-2.0
"""A service that works on no node: served all the same, or refused for all, as when_all_down says. One that flaps is held.

    client --- bridge --- web1, web2
"""

import errno
import select
import socket
import time

import flows
import netns
import services
from harness import VIP4, VIP6, Cluster, check, main

SERVE, REJECT = 7040, 7041


def refused(cluster, port):
    """Whether every attempt is answered with a refusal."""
    return services.answering(cluster, port, 60) == {flows.REFUSED}


def buckets(cluster, name):
    return [services.shown(cluster, node, name)["buckets"] for node in cluster.ids]


def counted(cluster, node):
    return cluster.status(node)["counters"]["refused"]


def check_all_are_told(cluster):
    """One node, the default host, refuses for all: SYNs by a reset, datagrams as unreachable, IPv4 and IPv6."""
    for address in (VIP4, VIP6):
        begun = time.monotonic()
        for flow in flows.many(40, address, REJECT):
            with netns.inside(cluster.client):
                made = flows.open_socket(flow, socket.SOCK_STREAM)
            check(error_of(made, select.POLLOUT) == errno.ECONNREFUSED, f"{flow} is not refused")
        for flow in flows.many(40, address, REJECT):
            with netns.inside(cluster.client):
                made = flows.open_socket(flow, socket.SOCK_DGRAM)
            made.send(b"?")
            check(error_of(made, select.POLLIN) == errno.ECONNREFUSED, f"a datagram of {flow} is not refused")
        print(f"refused 80 at {address} in {time.monotonic() - begun:.2f} s")


def check_flood(cluster):
    """More refused connections than can be answered harm neither the node that answers nor later clients."""
    before, view = counted(cluster, 1), cluster.status(1)["view"]
    flow, end, sent = flows.many(1, VIP4, REJECT, seed=2)[0], time.monotonic() + 4, 0
    with netns.inside(cluster.client):
        made = flows.open_socket(flow, socket.SOCK_DGRAM)
    while time.monotonic() < end:
        try:
            sent += made.send(b"?")
        except OSError:  # that it was refused
            pass
    made.close()
    refused_now, full = counted(cluster, 1), cluster.status(1)["counters"]["capture_full"]
    check(refused_now + full >= before + sent * 0.9, f"of {sent} datagrams {refused_now - before} were counted")
    check(cluster.status(1)["view"] == view and "fenced" not in cluster.log(1), "the flood has cost a lease")
    print(f"a flood of {sent} datagrams")
    check_all_are_told(cluster)


def error_of(made, events):
    poll = select.poll()
    poll.register(made, events)
    poll.poll(10000)
    error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    made.close()
    return error


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
    cluster.wait_until(lambda: refused(cluster, REJECT), "reject: clients are told at once")
    before = [counted(cluster, node) for node in cluster.ids]
    check_all_are_told(cluster)
    after = [counted(cluster, node) for node in cluster.ids]
    check(after[0] >= before[0] + 160 and after[1] == before[1], f"refused was {before}, and is {after}")
    check_flood(cluster)
    told = cluster.nlbctl("explain", "tcp", "198.51.100.7:40000", f"{VIP4}:{REJECT}", node=1).stdout
    check("unhealthy on every member" in told, f"explain: {told}")


def check_one_returns(cluster, serve, reject):
    serve.start(2)
    reject.start(2)
    for name, port in (("serve", SERVE), ("reject", REJECT)):
        cluster.wait_until(lambda: buckets(cluster, name) == [0, 65536], f"web2 alone serves {name}")
        check(services.answering(cluster, port) == {"web2"}, f"{name}: who answers")
    # No node serves a rule that is drained everywhere, either.
    cluster.nlbctl("drain-rule", "reject", "all", node=1)
    cluster.wait_until(lambda: refused(cluster, REJECT), "what is drained everywhere is refused")
    cluster.nlbctl("enable", "reject", "all", node=1)
    cluster.wait_until(lambda: services.answering(cluster, REJECT) == {"web2"}, "web2 serves it again")
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
        'when_all_down = "reject"', REJECT, "reject").replace('"tcp"', '"both"')
    with Cluster(nodes=2, rules=rules) as cluster:
        serve, reject = (services.Services(cluster, port=port) for port in (SERVE, REJECT))
        cluster.start_all()
        cluster.wait_active([1, 2])
        cluster.wait_until(lambda: min(buckets(cluster, "serve") + buckets(cluster, "reject")) > 10000, "both serve")
        check_all_down(cluster, serve, reject)
        check_one_returns(cluster, serve, reject)
        check_flapping(cluster, serve)


main(test)
