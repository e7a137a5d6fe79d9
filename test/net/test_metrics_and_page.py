# SPDX-License-Identifier: Apache-2.0
"""Every node tells what it does over HTTP: whole, well-formed, counting with the traffic, and right when a node dies.
Whatever else is asked is refused by its proper code, counted, and harms no node.

    client --- bridge --- web1, web2, web3, each with [metrics] listen = "0.0.0.0:9777"
"""

import json
import shutil

import flows
import scrape
from harness import VIP4, Cluster, check, main, skip
from owners import check_tcp

ADDRESS = {1: "192.0.2.1", 2: "192.0.2.2", 3: "192.0.2.3"}
# Without a witness, an order for the weight and [announce] these have nothing to say.
ABSENT = {"nlbd_order_weight", "nlbd_witness_questions_total", "nlbd_witness_answers_total",
          "nlbd_witness_malformed_total", "nlbd_witness_send_errors_total", "nlbd_announced"}


def scraped(cluster, node):
    answer = scrape.get(cluster, ADDRESS[node], "/metrics")
    check(answer.code == 200, f"/metrics: {answer.code}: {answer.text}")
    return scrape.parse(answer.text)


def check_whole(cluster, node):
    """Every metric that there is, as promtool likes it."""
    answer = scrape.get(cluster, ADDRESS[node], "/metrics")
    check(answer.headers["content-type"].startswith("text/plain; version=0.0.4"), "the media type of /metrics")
    said = scrape.promtool_says(answer.text)
    check(not said, f"promtool check metrics: {said}")
    metrics = scrape.parse(answer.text)
    told = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in metrics.names()}
    missing = scrape.names_in_source() - {name for name in told} - ABSENT
    missing -= {name for name in missing if name in metrics.names()}
    check(not missing, f"web{node} does not tell {sorted(missing)}")
    check(metrics.total("nlbd_leader") == 1, "not one leader")
    for member in ("web1", "web2", "web3"):
        check(metrics.value("nlbd_member_state", member=member, state="active") == 1, f"{member} is not active")
        check(metrics.total("nlbd_member_state", member=member) == 1, f"{member} has two states")
    check(metrics.value("nlbd_lease_remaining_seconds") > 0, "an active node without a lease")
    print(f"web{node}: {len(answer.text)} bytes, {len(metrics)} samples")


def check_same_as_nlbctl(cluster):
    """What one gets from the command: the same contract."""
    told, known = json.loads(scrape.get(cluster, ADDRESS[1], "/status.json").text), cluster.status(1)
    check(list(told) == list(known), "status.json has other keys than nlbctl --json status")
    for part in ("cluster", "node", "state", "view", "datapath", "orders", "reload", "uncovered", "web"):
        for one in (told, known):
            one.get("uncovered", {}).pop("packets", None)
        check(told[part] == known[part], f"status.json says {part} {told[part]}, nlbctl {known[part]}")
    for rule in told["rules"]:
        check(sum(owner["buckets"] for owner in rule["owners"]) == 65536, f"owners of {rule['name']}")
        mine = next(owner for owner in rule["owners"] if owner["name"] == "web1")
        check(mine["buckets"] == rule["buckets"], "its own buckets are others than it serves")
    texts = [event["text"] for event in json.loads(scrape.get(cluster, ADDRESS[1], "/events.json").text)]
    known = [event["text"] for event in json.loads(cluster.nlbctl("--json", "events", node=1).stdout)]
    check(texts and texts == known, "events.json and nlbctl --json events differ")


def check_counting(cluster):
    asked = flows.many(300, VIP4, 7002)
    before = [scraped(cluster, node) for node in cluster.ids]
    check_tcp(cluster, asked)
    cluster.wait_until(lambda: sum(
        scraped(cluster, node).value("nlbd_rule_packets_total", rule="single", verdict="taken", reason="accepted")
        - before[node - 1].value("nlbd_rule_packets_total", rule="single", verdict="taken", reason="accepted")
        for node in cluster.ids) >= len(asked), "packets are counted under their rule")
    for metrics in (scraped(cluster, node) for node in cluster.ids):
        check(metrics.total("nlbd_rule_packets_total", rule="single", verdict="dropped") > 0,
              "no packet of the rule was another node's")
        check(metrics.value("nlbd_lingering_connections") == 0, "connections linger, and nothing has moved")
    for peer in ("web2", "web3"):
        cluster.wait_until(lambda: scraped(cluster, 1).value("nlbd_peer_beats_received_total", peer=peer)
                           > before[0].value("nlbd_peer_beats_received_total", peer=peer),
                           f"beats of {peer} are counted")
    after = scraped(cluster, 1)
    check(after.value("nlbd_loop_lag_seconds_sum") < 60, "the start counts as lag")
    check(after.value("nlbd_peer_beat_jitter_seconds", peer="web2") > 0, "no jitter at all")


def check_pages(cluster):
    page = scrape.get(cluster, ADDRESS[1], "/")
    check(page.code == 200 and page.headers["content-type"] == "text/html; charset=utf-8", "the page")
    check("default-src 'none'" in page.headers["content-security-policy"], "the page has no policy")
    for name, value in (("cache-control", "no-store"), ("x-content-type-options", "nosniff")):
        check(page.headers[name] == value, f"{name} of the page")
    head = scrape.get(cluster, ADDRESS[1], "/", method="HEAD")
    check(head.code == 200 and head.text == "" and head.headers["content-length"] == page.headers["content-length"],
          "HEAD is not like GET")
    check(scrape.get(cluster, ADDRESS[1], "/metrics?all=1").code == 200, "a query is in the way")
    check("not found" in scrape.get(cluster, ADDRESS[1], "/nothing").text, "404 says nothing")


def check_refusals(cluster):
    """Requests that are not valid, and what the server answers; None: anything."""
    before = scraped(cluster, 1)
    cases = [
        ("the name of another host", b"GET / HTTP/1.1\r\nHost: elsewhere.example.net\r\nConnection: close\r\n\r\n", b" 421 "),
        ("POST", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", b" 405 "),
        ("a body with GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", b" 413 "),
        ("an endless body", b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 9,
         b" 413 "),
        ("a path that is none", b"GET /%00%ff/../.. HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b" 404 "),
        ("noise", bytes(range(256)) * 8, None),
        ("a TLS hello", bytes.fromhex("16030100a5010000a1030300") + bytes(160) + b"\r\n\r\n", None),
        ("no host", b"GET / HTTP/1.1\r\n\r\n", b" 400 "),
        ("a version that is none", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", None),
        ("an endless path", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 414 "),
        ("endless headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", b" 431 "),
        ("one long header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b" 431 "),
        ("a length that is none", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", None),
        ("a thousand at once", b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
         + b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", None)]
    for what, request, code in cases:
        answer = scrape.ask(cluster, ADDRESS[1], request)
        lost = answer == b"" and len(request) > 50_000  # the end of a connection may overtake its answer
        check(code is None or lost or code in answer.split(b"\r\n")[0], f"{what}: {answer[:200]}")
        if code == b" 405 ":
            check(b"Allow: GET, HEAD" in answer, f"{what}: does not say what is allowed")
        check(scrape.get(cluster, ADDRESS[1], "/metrics").code == 200, f"after {what} nothing is answered any more")
    cluster.wait_until(lambda: all(
        scraped(cluster, 1).value("nlbd_http_requests_total", code=code)
        > before.value("nlbd_http_requests_total", code=code) for code in ("200", "404", "405", "413")),
        "requests are counted by code")
    scrape.connect(cluster, ADDRESS[1]).close()
    cluster.wait_until(lambda: scraped(cluster, 1).value("nlbd_http_connections_total", result="silent")
                       > before.value("nlbd_http_connections_total", result="silent"),
                       "who asked nothing that made sense is counted")


def check_death(cluster):
    cluster.crash(3)
    cluster.wait_active([1, 2])
    for node in (1, 2):
        cluster.wait_until(lambda: scraped(cluster, node).value("nlbd_member_state", member="web3", state="dead") == 1,
                           f"web{node} tells that web3 is dead")
        metrics = scraped(cluster, node)
        check(metrics.value("nlbd_view_changes_total", cause="death") >= 1, "a death, and no view for it")
        told = json.loads(scrape.get(cluster, ADDRESS[node], "/status.json").text)
        check(cluster.members(told) == [1, 2], f"status.json of web{node}: {told['members']}")
        check(all(owner["name"] != "web3" for rule in told["rules"] for owner in rule["owners"]), "web3 owns on")
    check(sum(scraped(cluster, node).value("nlbd_rule_buckets", rule="none") for node in (1, 2)) == 65536,
          "the two do not serve all buckets")


def be_asked(cluster):
    """So that there is something to tell: of packets to each rule, and to none."""
    check_tcp(cluster, [flow for port in (7001, 7002, 7003) for flow in flows.many(100, VIP4, port)])
    flows.ask_tcp(cluster.client, flows.many(10, VIP4, 9))


def test():
    if not shutil.which("promtool"):
        skip("promtool is not installed (packaging/install-dependencies test)")
    with Cluster(nodes=3, extra=scrape.LISTEN) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        be_asked(cluster)
        for node in cluster.ids:
            check_whole(cluster, node)
        check_same_as_nlbctl(cluster)
        check_counting(cluster)
        check_pages(cluster)
        check_refusals(cluster)
        check_death(cluster)


main(test)
