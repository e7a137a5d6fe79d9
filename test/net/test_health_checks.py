# SPDX-License-Identifier: Apache-2.0
"""Each type of check: healthy, unhealthy with a reason, and back. One node has the trouble, the other serves on.

    client --- bridge --- web1, web2
"""

import os
import subprocess
import sys

import flows
import netns
import services
from harness import Cluster, check, main

TCP, HTTP, EXEC, RANGE = 7020, 7021, 7022, 7030
FAST = "interval_ms = 300, timeout_ms = 300, rise = 2, fall = 2"
WEB = """
import http.server, os, sys, time
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[1]) as file:
            code = int(file.read())
        if code == 0:
            time.sleep(1)
        host = self.headers.get("Host")
        self.send_response(code if host == "shop.example" and self.path == "/up" else 404)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(sys.argv[2])), Page).serve_forever()
"""
SCRIPT = """#!/bin/sh
# Notes what it may do, then answers as a file of its node tells. When it hangs, so does a child of its.
me={directory}/$NLB_RULE$(ip -brief address show eth0 | grep -o '192[.]0[.]2[.][12]/' | tr -dc 12 | tail -c 1)
id -u >$me.user
grep -E '^(NoNewPrivs|CapEff|CapPrm|CapAmb):' /proc/self/status >$me.status
chrt -p $$ >>$me.status
ls /proc/self/fd >$me.descriptors
read -r code <$me.code
echo "it says $code"
[ "$code" = hang ] && sleep 600
exit "$code"
"""


def rules(cluster_directory):
    command = f'["{cluster_directory}/check", "an argument"]'
    return "".join([
        services.rule(f'health = {{ type = "tcp", {FAST} }}', TCP, "tcp"),
        services.rule(f'health = {{ type = "http", path = "/up", host = "shop.example", status = [200, 204], {FAST} }}',
                      HTTP, "http"),
        services.rule('health = { type = "exec", command = ' + command +
                      ', interval_ms = 2000, timeout_ms = 2000, rise = 1, fall = 1 }', EXEC, "exec"),
        services.rule('health = { type = "none" }', 7023, "none"),  # where no server listens
        services.rule("", f"{RANGE}-{RANGE + 9}", "range")])


class Trial:
    """What the servers and the command of each node say, by a file each."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.directory = f"{cluster.directory}-open"  # the cluster's own is closed to the command's user
        os.makedirs(self.directory)
        os.chmod(self.directory, 0o777)

    def say(self, name, code):
        with open(f"{self.directory}/{name}.new", "w") as file:
            file.write(f"{code}\n")
        os.rename(f"{self.directory}/{name}.new", f"{self.directory}/{name}.code")

    def told(self, name):
        with open(f"{self.directory}/{name}") as file:
            return file.read()

    def healthy(self, name, healthy):
        services.wait_healthy(self.cluster, 2, healthy, name)
        self.cluster.wait_until(lambda: (services.shown(self.cluster, 2, name)["buckets"] > 0) is healthy,
                                f"web2 {'takes' if healthy else 'gives away'} rule {name}")

    def down(self, name, reason):
        self.healthy(name, False)
        said = services.shown(self.cluster, 2, name)["reason"]
        check(reason in said, f"rule {name} says {said!r}, not {reason!r}")
        check(services.shown(self.cluster, 1, name)["healthy"] is True, f"rule {name} of web1")
        check(services.shown(self.cluster, 1, name)["buckets"] == 65536, f"web1 has not taken rule {name} over")


def check_tcp(trial, services_of_tcp):
    services_of_tcp.kill(2)
    trial.down("tcp", f"connect to 192.0.2.100:{TCP}: Connection refused")
    services_of_tcp.start(2)
    trial.healthy("tcp", True)


def check_http(trial):
    trial.say("http2", 503)
    trial.down("http", "GET /up: answers 503, not 200 or 204")
    trial.say("http2", 204)
    trial.healthy("http", True)
    trial.say("http2", 0)
    trial.down("http", "no answer within 300 ms")
    trial.say("http2", 200)
    trial.healthy("http", True)


def check_exec(trial):
    trial.say("exec2", 3)
    trial.down("exec", "check: exit code 3: it says 3")
    check(trial.told("exec2.user") == trial.told("nobody"), "the command runs as somebody else")
    status = trial.told("exec2.status")
    check("NoNewPrivs:\t1" in status, f"it can gain privileges:\n{status}")
    check(status.count(":\t0000000000000000") == 3, f"it has capabilities:\n{status}")
    check("SCHED_OTHER" in status, f"it runs with the agent's priority:\n{status}")
    descriptors = trial.told("exec2.descriptors").split()
    check(descriptors == ["0", "1", "2", "3"], f"it has inherited descriptors: {descriptors}")  # 3: of ls itself
    trial.say("exec2", 0)
    trial.healthy("exec", True)
    trial.say("exec2", "hang")
    trial.down("exec", "no answer within 2000 ms")
    trial.say("exec2", 0)
    trial.healthy("exec", True)
    monitors = {str(trial.cluster.monitor_of(node)) for node in trial.cluster.agents}
    trial.cluster.wait_until(lambda: not zombies_of(monitors), "no zombie is left")
    check(not sleepers(), "a hanging command's child lives on")


def zombies_of(parents):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and fields[1] in parents:
            found.append(entry)
    return found


def sleepers():
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if file.read() == b"sleep\x00600\x00":
                    found.append(entry)
        except OSError:
            continue
    return found


def check_range(trial, one):
    """A server listens on one port of the range: the others are refused, by the host."""
    cluster = trial.cluster
    services.wait_healthy(cluster, 2, True, "range")
    check(services.answering(cluster, RANGE + 7, 60) == {flows.REFUSED}, "a port without a listener is not refused")
    check(services.answering(cluster, RANGE + 3) == {"web1", "web2"}, "the port that somebody listens on")
    check(services.shown(cluster, 2, "range")["healthy"] is True, "one listener is enough")
    one.kill(2)
    trial.down("range", f"no process listens on ports {RANGE}-{RANGE + 9}")
    check(services.answering(cluster, RANGE + 3) == {"web1"}, "new connections")


def serve_pages(cluster, trial):
    for node in cluster.ids:
        trial.say(f"http{node}", 200)
        cluster.servers[f"pages{node}"] = subprocess.Popen(
            netns.command(cluster.namespace(node),
                          [sys.executable, "-c", WEB, f"{trial.directory}/http{node}.code", HTTP]),
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=netns.die_with_parent)


def prepare_command(cluster, trial):
    for node in cluster.ids:
        trial.say(f"exec{node}", 0)
    with open(f"{trial.directory}/nobody", "w") as file:
        file.write(netns.run(None, "id", "-u", "nobody").stdout)
    path = f"{trial.directory}/check"
    with open(path, "w") as file:
        file.write(SCRIPT.format(directory=trial.directory))
    os.chmod(path, 0o755)


def test():
    with Cluster(nodes=2) as cluster:
        trial = Trial(cluster)
        try:
            cluster.write_config(cluster.config_file, rules=rules(trial.directory))
            tcp, one = services.Services(cluster, port=TCP), services.Services(cluster, port=RANGE + 3)
            serve_pages(cluster, trial)
            prepare_command(cluster, trial)
            cluster.start_all()
            cluster.wait_active([1, 2])
            for name in ("tcp", "http", "exec", "none", "range"):
                trial.healthy(name, True)
            check_tcp(trial, tcp)
            check_http(trial)
            check_range(trial, one)
            check_exec(trial)
        finally:
            netns.run(None, "rm", "-rf", trial.directory)


main(test)
