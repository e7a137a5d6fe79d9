# SPDX-License-Identifier: Apache-2.0
"""etc/examples/round_robin as it is written: one name for two clusters. A server dies and no client notices; a whole cluster
dies, and each client has its page from the other one; its address leaves the zone, and no client waits.

    visitor (curl) --- bridge --- web1, web2 (north), web3, web4 (south), ns (NSD)
"""

import collections
import time

from guide import Guide  # first: it knows where the other modules are
from harness import check, main

NORTH, SOUTH = {"web1", "web2"}, {"web3", "web4"}


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2, 3, 4], "On web1 to web4, the site:")
    guide.follow(cluster, [1], "On web1, the configuration and the key")
    guide.follow(cluster, [3], "On web3, those of south:")
    guide.follow(cluster, [1, 2, 3, 4], "On web1 to web4, the start:")
    guide.follow(cluster, ["ns"], "On ns, the name server:")
    cluster.machine["visitor"].sh("printf 'nameserver 192.0.2.53\\n' > /etc/resolv.conf")
    cluster.wait_active([1, 2])
    cluster.wait_active([3, 4])
    cluster.wait_until(lambda: all(cluster.status(node)["rules"][0]["buckets"] for node in cluster.ids), "all serve")


def look(guide, cluster):
    seen = guide.follow(cluster, ["visitor"], "On a client, which asks")["visitor"].split("\n")
    check(set(seen[:2]) == {"192.0.2.100", "192.0.2.101"} and "This is web" in seen[2], f"seen: {seen}")


def ask(guide, cluster, count):
    """Pages by server, and how many seconds the slowest took. Every request has a page, or this fails."""
    line = guide.commands("On a client, which asks").splitlines()[1]
    script = f"for i in $(seq {count}); do {line} -w '%{{time_total}} %{{local_ip}}\\n'; done"
    lines = cluster.machine["visitor"].sh(script).splitlines()
    check(len(lines) == 2 * count, f"{len(lines) / 2} of {count} requests have a page")
    pages = collections.Counter(line.split()[-1].rstrip(".") for line in lines[::2])
    return pages, max(float(line.split()[0]) for line in lines[1::2])


def server_dies(guide, cluster, died):
    living = 3 - died
    cluster.crash(died)
    cluster.wait_until(lambda: cluster.agree([living]), f"web{living} serves north alone")
    pages, slowest = ask(guide, cluster, 30)
    check(f"web{died}" not in pages and pages[f"web{living}"] and sum(pages[name] for name in SOUTH), f"pages: {pages}")
    print(f"web{died}, the visitor's, died: {dict(pages)}, the slowest after {slowest:.2f} s")


def cluster_dies(guide, cluster, last):
    cluster.crash(last)
    cluster.machine["visitor"].sh("ip neighbour flush all")
    pages, slowest = ask(guide, cluster, 12)
    check(set(pages) <= SOUTH, f"pages: {pages}")
    print(f"north died: {dict(pages)}, the slowest after {slowest:.2f} s: none failed")
    check(slowest > 1, "no client has waited: the dead address was not tried")
    guide.follow(cluster, ["ns"], "To spare clients the wait,")
    cluster.wait_until(lambda: cluster.machine["visitor"].sh("dig +short @192.0.2.53 www.example.com") == "192.0.2.101\n",
                       "the zone has one address")
    pages, fast = ask(guide, cluster, 30)
    check(set(pages) <= SOUTH and fast < slowest, f"pages: {pages}, the slowest after {fast} s")
    print(f"north's address left the zone: the slowest after {fast:.2f} s")


def comes_back(guide, cluster):
    for node in (1, 2):
        cluster.revive(node, services="nginx")
    cluster.wait_active([1, 2])
    cluster.machine["ns"].sh("cp example.com.zone /etc/nsd/; sed -i s/2026010101/2026010103/ /etc/nsd/example.com.zone; "
                             "nsd-control reload example.com", guide.directory)
    cluster.wait_until(lambda: len(cluster.machine["visitor"].sh("dig +short @192.0.2.53 www.example.com").split()) == 2,
                       "the zone has both addresses")
    pages, _ = ask(guide, cluster, 30)
    check(sum(pages[name] for name in NORTH) and sum(pages[name] for name in SOUTH), f"pages: {pages}")


def addresses_in_an_answer(cluster):
    """How many fit, as the guide says: 28, and no 40."""
    for count, truncated in ((28, False), (40, True)):
        records = "\n".join(f"www 60 IN A 198.51.100.{number}" for number in range(1, count + 1))
        cluster.machine["ns"].sh(f"sed -i -e /^www/d -e s/20260101../20260102{count}/ /etc/nsd/example.com.zone\n"
                                 f"echo '{records}' >> /etc/nsd/example.com.zone\nnsd-control reload example.com")
        flags = "dig +noedns +ignore @192.0.2.53 www.example.com | grep 'flags:.*ANSWER'"
        cluster.wait_until(lambda: (" tc" in cluster.machine["visitor"].sh(flags)) == truncated
                           and (truncated or f"ANSWER: {count}," in cluster.machine["visitor"].sh(flags)),
                           f"{count} addresses are {'not ' if truncated else ''}one answer", 10)


def test():
    guide = Guide("round_robin")
    web = ["/var/lib/nginx", "/var/log/nginx", "/var/www/html"]
    state = {**{node: web for node in (1, 2, 3, 4)}, "ns": ["/var/lib/nsd"]}
    with guide.machines(nodes=4, config="north.toml", state=state, others={"ns": 53, "visitor": 60}) as cluster:
        set_up(guide, cluster)
        look(guide, cluster)
        pages, _ = ask(guide, cluster, 40)
        check(15 <= sum(pages[name] for name in NORTH) <= 25, f"pages: {pages}")
        print("40 requests:", dict(pages))
        died = 1 if pages["web1"] else 2
        server_dies(guide, cluster, died)
        cluster_dies(guide, cluster, 3 - died)
        comes_back(guide, cluster)
        addresses_in_an_answer(cluster)


main(test)
