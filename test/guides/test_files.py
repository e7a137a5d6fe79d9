# SPDX-License-Identifier: Apache-2.0
"""etc/examples/files as it is written: each of 40 clients gets its files over passive FTP and TFTP, all from one server, also
when the file has many blocks; a server dies, and the other one has all clients.

    client (curl) --- bridge --- web1, web2 (vsftpd, tftpd-hpa)
"""

import collections

from guide import Guide  # first: it knows where the other modules are
import netns
from harness import check, main

CLIENTS = 40


def fetch(cluster, number, what, scheme):
    """The content, by this client; None: not at all."""
    words = ["curl", "-sf", "--max-time", 15, "--interface", f"198.18.{number}.21", f"{scheme}://192.0.2.100/{what}"]
    done = netns.run(cluster.client, *words, check=False)
    return done.stdout if done.returncode == 0 else None


def healthy(cluster, node):
    return all(rule["healthy"] for rule in cluster.status(node)["rules"])


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2], "On both servers, the services")
    guide.follow(cluster, [1], "On web1, the cluster's key:")
    guide.follow(cluster, [1, 2], "On both servers, the start:")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: healthy(cluster, 1) and healthy(cluster, 2), "all is healthy", 60)


def look(guide, cluster):
    check("unhealthy" not in guide.follow(cluster, [1], "On a server, four rules")[1], "rules")
    names = guide.ask(cluster, "From a client, a file over each").splitlines()
    check(len(names) == 2 and names[0] == names[1], f"the files: {names}")


def all_fetch(cluster):
    """server -> how many clients it has for both protocols."""
    servers = {scheme: [fetch(cluster, number, "name", scheme) for number in range(CLIENTS)] for scheme in ("ftp", "tftp")}
    for scheme, names in servers.items():
        check(None not in names, f"{names.count(None)} of {CLIENTS} clients get no file over {scheme}")
    check(servers["ftp"] == servers["tftp"], f"clients get FTP and TFTP from different servers: {servers}")
    return collections.Counter(name.split()[-1].rstrip(".") for name in servers["ftp"])


def long_files(cluster):
    for node in (1, 2):
        cluster.machine[node].sh("seq 200000 | tee /var/lib/ftp/long > /var/lib/tftp/long")
    for number in range(6):
        for scheme in ("ftp", "tftp"):
            lines = (fetch(cluster, number, "long", scheme) or "").splitlines()
            check(lines[-1:] == ["200000"] and len(lines) == 200000, f"client {number}: {len(lines)} lines over {scheme}")


def test():
    guide = Guide("files")
    with guide.machines(nodes=2) as cluster:
        set_up(guide, cluster)
        look(guide, cluster)
        served = all_fetch(cluster)
        check(set(served) == {"web1", "web2"}, f"served by {served}")
        print(f"{CLIENTS} clients, FTP and TFTP from the same server each: {dict(served)}")
        long_files(cluster)
        cluster.crash(2)
        cluster.wait_until(lambda: cluster.agree([1]), "web1 serves alone")
        check(set(all_fetch(cluster)) == {"web1"}, "web1 does not serve all")


main(test)
