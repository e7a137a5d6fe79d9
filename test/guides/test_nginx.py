# SPDX-License-Identifier: Apache-2.0
"""etc/examples/nginx as it is written: both servers answer; one is drained and no request fails, it dies and the other
serves all, its nginx dies and the same.

    client --- bridge --- web1, web2 (nginx)
"""

import time

from guide import Guide  # first: it knows where the other modules are
from harness import check, main
from web_clients import Clients, addresses, answered_by, count_failed


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2], "On both servers, nginx and the site:")
    guide.follow(cluster, [1], "On web1, a certificate")
    guide.follow(cluster, [1, 2], "On both servers, the cluster's configuration")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: all(rule["healthy"] for node in (1, 2) for rule in cluster.status(node)["rules"]),
                       "nginx listens on both")


def look(guide, cluster):
    shown = guide.follow(cluster, [1], "On a server, both have to be active")[1]
    check(shown.count(" active ") >= 2 and shown.count("enabled") == 2, f"status:\n{shown}")
    pages = guide.ask(cluster, "From a client, an answer").splitlines()
    check(len(pages) == 3 and set(pages) <= {"This is web1.", "This is web2."}, f"the pages: {pages}")
    told = guide.follow(cluster, [1], "One client sees one server's name")[1]
    check("http" in told and "web" in told, f"explain:\n{told}")
    everywhere = answered_by(cluster, addresses(200))
    check(set(everywhere) == {"web1", "web2"}, f"who answers: {everywhere}")
    print("200 clients:", dict(everywhere))


def maintenance(guide, cluster):
    with Clients(cluster, addresses(200), per_second=100) as clients:
        guide.follow(cluster, [2], "On the server that is to be worked on.")
        cluster.wait_until(lambda: cluster.status(2)["state"] == "stopped", "web2 is out of the cluster")
        since = time.monotonic()
        cluster.machine[2].sh("systemctl restart nginx nlbd")
        cluster.wait_until(lambda: cluster.status(2) is not None, "web2's agent is back")
        check(cluster.status(2)["state"] == "stopped", "web2 came back in the middle of its maintenance")
        until = time.monotonic()
        guide.follow(cluster, [2], "Now it can be upgraded and rebooted")
        cluster.wait_active([1, 2])
        time.sleep(1)
    meanwhile = {request.answer for request in clients.requests if since < request.started < until}
    check(meanwhile == {"web1"}, f"while web2 was out, answers came from {meanwhile}")
    check(count_failed(clients.requests) == 0, f"{count_failed(clients.requests)} requests failed")
    print(f"maintenance: {len(clients.requests)} requests, none failed")


def dies(cluster):
    with Clients(cluster, addresses(200), per_second=100) as clients:
        died = time.monotonic()
        cluster.crash(1)
        cluster.wait_until(lambda: cluster.agree([2]), "web2 serves alone")
        alone = time.monotonic()
        time.sleep(1)
    later = [request for request in clients.requests if request.started > died + 0.1]
    check(count_failed(later) == 0, f"{count_failed(later)} of {len(later)} requests after the crash failed")
    check({request.answer for request in later if request.started > alone} == {"web2"}, "who answers afterwards")
    cluster.revive(1, services="nginx")
    cluster.wait_active([1, 2])
    check(set(answered_by(cluster, addresses(200))) == {"web1", "web2"}, "web1 is back, and nobody is sent there")
    print(f"a crash: {len(later)} requests since, none failed")


def service_dies(cluster):
    cluster.machine[2].sh("systemctl stop nginx")
    cluster.wait_until(lambda: not any(rule["buckets"] for rule in cluster.status(2)["rules"]), "web2 lets go of both")
    check(set(answered_by(cluster, addresses(200))) == {"web1"}, "who answers without web2's nginx")


def test():
    guide = Guide("nginx")
    with guide.machines(nodes=2, state=["/var/lib/nginx", "/var/log/nginx", "/var/www/html"]) as cluster:
        set_up(guide, cluster)
        look(guide, cluster)
        maintenance(guide, cluster)
        dies(cluster)
        service_dies(cluster)


main(test)
