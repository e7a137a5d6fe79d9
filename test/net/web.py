# SPDX-License-Identifier: Apache-2.0
"""A web server on every node, nginx, and wrk as the client that keeps asking.

    web.serve(cluster)                    # on PORT of every node; RULE is the rule for it
    asking = web.Wrk(cluster, connections=100, pause_ms=20)
    asking.stop().check()                 # not one request failed
"""

import os
import re
import signal
import subprocess

import netns
from harness import VIP4, check

PORT = 7005
RULE = f"""
[[rule]]
name = "web"
protocol = "tcp"
ports = "{PORT}"
affinity = "none"
"""

_NGINX = """
daemon off; master_process off; user root;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{
        listen {port} backlog=4096;
        location / {{ default_type text/plain; return 200 "{name}\\n"; }}
    }}
}}
"""


def serve(cluster):
    """They are removed with the cluster."""
    for node in cluster.ids:
        directory = f"{cluster.directory}/nginx{node}"
        os.makedirs(directory)
        with open(f"{directory}/nginx.conf", "w") as file:
            file.write(_NGINX.format(directory=directory, port=PORT, name=cluster.label(node)))
        log = f"{directory}/nginx.log"
        cluster.servers[f"nginx{node}"] = subprocess.Popen(
            netns.command(cluster.namespace(node), ["nginx", "-c", f"{directory}/nginx.conf", "-e", log]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=netns.die_with_parent)
    for node in cluster.ids:
        cluster.wait_until(lambda: netns.run(cluster.namespace(node), "ss", "-Htnl", f"sport = {PORT}").stdout,
                           f"nginx of {cluster.label(node)} listens")


class Wrk:
    """connections: that many, kept open, or (keep False) a new one for each request; pause_ms between two requests."""

    def __init__(self, cluster, connections, pause_ms, keep=True):
        script = f"{cluster.directory}/wrk{connections}{keep}.lua"
        with open(script, "w") as file:
            file.write(f"function delay() return {pause_ms} end\n")
        words = ["wrk", "--threads", 1, "--connections", connections, "--duration", "600s", "--timeout", "30s",
                 "--script", script] + ([] if keep else ["--header", "Connection: close"])
        self._process = subprocess.Popen(
            netns.command(cluster.client, words + [f"http://{VIP4}:{PORT}/"]), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=netns.die_with_parent)
        cluster.servers[script] = self._process  # removed with it
        self._connections = connections
        self.text = ""

    def stop(self):
        self._process.send_signal(signal.SIGINT)
        self.text = self._process.communicate(timeout=60)[0]
        return self

    def check(self):
        done = re.search(r"(\d+) requests in", self.text)
        check(done and int(done[1]) >= self._connections, f"wrk has not asked enough:\n{self.text}")
        check("Socket errors" not in self.text and "Non-2xx" not in self.text, f"requests failed:\n{self.text}")
        print(re.sub(r"\s+", " ", done[0]), "none failed")
