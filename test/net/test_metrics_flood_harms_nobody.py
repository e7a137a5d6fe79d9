# SPDX-License-Identifier: Apache-2.0
"""A client that floods the page, or connects and says nothing, delays no beat, and keeps no other client out.

    client (wrk, and hundreds of connections that never end their request) --- bridge --- web1 (leader), web2, web3

The agent's loop is on time all the while: no turn comes later than the machine itself was, and LATE.
"""

import re
import subprocess
import time

import netns
import scrape
from harness import Cluster, Failed, check, main

ADDRESS = "192.0.2.1"
SECONDS = 4
LATE = 0.005  # seconds; a turn is some 30 us late, on a machine with more work than it can do as well


def flood(cluster, path, *more):
    return subprocess.Popen(
        netns.command(cluster.client, ["wrk", "--threads", 1, "--connections", 64, "--duration", f"{SECONDS}s",
                                       "--timeout", "10s", *more, f"http://{ADDRESS}:{scrape.PORT}{path}"]),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=netns.die_with_parent)


def slow(cluster, number):
    """Connections, a few from each address, in the middle of their request."""
    held = []
    for i in range(number):
        connection = scrape.connect(cluster, ADDRESS, source=f"198.18.0.{1 + i // 4}")
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        held.append(connection)
    return held


def trickle(held):
    """One more byte each; those that were pushed out are gone."""
    alive = []
    for connection in held:
        try:
            connection.sendall(b"a")
            alive.append(connection)
        except OSError:
            connection.close()
    return alive


def metrics(cluster):
    return scrape.parse(scrape.get(cluster, ADDRESS, "/metrics", source="198.19.0.1").text)


def lag(before, after):
    """Turns by their lag: bound -> how many were no later; and the same as text, with the mean."""
    buckets = {}
    for (name, labels), value in after.items():
        if name == "nlbd_loop_lag_seconds_bucket":
            buckets[float(dict(labels)["le"])] = value - before[(name, labels)]
    turns = after.value("nlbd_loop_lag_seconds_count") - before.value("nlbd_loop_lag_seconds_count")
    total = after.value("nlbd_loop_lag_seconds_sum") - before.value("nlbd_loop_lag_seconds_sum")
    at_most = " ".join(f"{1000 * bound:g}ms:{count:.0f}" for bound, count in sorted(buckets.items()))
    return buckets, f"{turns:.0f} turns, mean {1e6 * total / max(turns, 1):.0f} us; at most {at_most}"


def check_on_time(buckets, late):
    """late: seconds, by which the machine was at worst."""
    allowed = min(bound for bound in buckets if bound >= LATE + late)
    turns, in_time = max(buckets.values()), buckets[allowed]
    check(turns > 50, f"only {turns:.0f} turns")
    check(in_time == turns, f"{turns - in_time:.0f} of {turns:.0f} turns were more than {1000 * allowed:g} ms late, the "
                            f"machine {1000 * late:.1f} ms at worst")


def test():
    with Cluster(nodes=3, extra=scrape.LISTEN) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        first, view = metrics(cluster), cluster.status(1)["view"]
        time.sleep(SECONDS / 2)  # as long as the flood, for comparison
        before = metrics(cluster)
        print("idle: ", lag(first, before)[1])
        flooded = time.monotonic()
        held = slow(cluster, 120)
        floods = [flood(cluster, "/metrics"), flood(cluster, "/", "--header", "Connection: close")]
        asked, slowest = 0, 0.0
        while any(process.poll() is None for process in floods):
            began = time.monotonic()
            try:
                check(metrics(cluster).value("nlbd_lease_remaining_seconds") > 0, "fenced")
            except OSError as error:
                raise Failed(f"somebody else gets no answer: {error}") from None
            asked, slowest = asked + 1, max(slowest, time.monotonic() - began)
            held = trickle(held)
        after = metrics(cluster)
        buckets, told = lag(before, after)
        print("flood:", told)
        check_on_time(buckets, cluster.stalls.worst(flooded)[0])
        for process in floods:
            said = process.communicate()[0]
            print(re.sub(r"\s+", " ", re.search(r"\d+ requests in.*", said)[0]))
        print(f"meanwhile {asked} others were answered, the slowest after {slowest:.3f} s")
        check(asked >= 3, f"only {asked} others were answered within {SECONDS} s")
        for node in cluster.ids:
            status = cluster.status(node)
            check(status["view"] == view, f"the view has changed: {view}, {status['view']}")
            check(status["state"] == "active", f"web{node} is {status['state']}")
        check(after.value("nlbd_http_connections_total", result="pushed_out")
              > before.value("nlbd_http_connections_total", result="pushed_out"), "nobody was pushed out")
        check(after.value("nlbd_http_connections") <= 64, "too many connections are open")


main(test)
