# SPDX-License-Identifier: Apache-2.0
"""Metrics and the page are where the configuration says, and nowhere when it says nothing.

    client --- bridge --- web1, started anew for each address
"""

import socket

import netns
import scrape
from harness import VIP4, VIP6, Cluster, check, main

IN_USE = 9778


def listening(cluster):
    lines = netns.run(cluster.namespace(1), "ss", "-Htnl").stdout.splitlines()
    return {line.split()[3].rsplit(":", 1)[1] for line in lines}


def begin(cluster, listen):
    cluster.options["extra"] = f'\n[metrics]\nlisten = "{listen}"\n' if listen else ""
    cluster.write_config(cluster.config_file)
    cluster.start(1)
    cluster.wait_active([1])


def reachable(cluster, address, who=None, port=scrape.PORT):
    try:
        return scrape.get(cluster, address, "/metrics", who=who, port=port).code == 200
    except OSError:
        return False


def test():
    with Cluster(nodes=1, servers=False) as cluster:
        before = listening(cluster)
        begin(cluster, None)
        check(listening(cluster) - before == {"7778"}, f"listens on {listening(cluster) - before}")
        check(cluster.status(1)["web"] is None, "status tells of a page that is not there")
        for listen in (scrape.PORT, 9780, None):  # by reload there, elsewhere, and away again
            extra = f'\n[metrics]\nlisten = "127.0.0.1:{listen}"\n' if listen else ""
            cluster.write_config(cluster.config_file, extra=extra)
            check("in force" in cluster.nlbctl("reload", node=1).stdout, "another address is not in force")
            check(listening(cluster) - before == {"7778"} | ({str(listen)} if listen else set()),
                  f"listens on {listening(cluster) - before}, not on {listen}")
        cluster.terminate(1)

        begin(cluster, f"127.0.0.1:{scrape.PORT}")
        check(reachable(cluster, "127.0.0.1", who=1), "not on loopback")
        check(not reachable(cluster, "192.0.2.1"), "loopback is reached from outside")
        check("http://127.0.0.1:9777/" in cluster.nlbctl("status", node=1).stdout, "status does not say where")
        cluster.terminate(1)

        begin(cluster, f"[::]:{scrape.PORT}")
        for address in ("192.0.2.1", "2001:db8::1", VIP4, VIP6):
            check(reachable(cluster, address), f"[::] is not on {address}")
        cluster.kill(1)
        begin(cluster, f"[::]:{scrape.PORT}")  # a predecessor that was killed does not hold the port
        check(reachable(cluster, "192.0.2.1"), "not after a restart")
        cluster.terminate(1)
        check(listening(cluster) == before, f"still listens on {listening(cluster) - before}")

        for listen, why in ((f"0.0.0.0:{IN_USE}", "Address already in use"),
                            (f"192.0.2.99:{scrape.PORT}", "Cannot assign requested address")):
            with netns.inside(cluster.namespace(1)):
                with socket.create_server(("0.0.0.0", IN_USE)):
                    begin(cluster, listen)
            said = [problem for problem in cluster.status(1)["problems"] if problem["name"] == "metrics_not_served"]
            check(said and not said[0]["serious"], f"{listen}: is not named: {cluster.status(1)['problems']}")
            text = said[0]["text"] + said[0]["way_out"]
            for word in (listen, why, "[metrics] listen"):
                check(word in text, f"{listen}: does not say {word!r}: {text}")
            if why.startswith("Address"):  # it is free now
                cluster.wait_until(lambda: reachable(cluster, "192.0.2.1", port=IN_USE), "it is served")
            cluster.terminate(1)


main(test)
