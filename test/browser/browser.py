# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium in a namespace, driven through chromedriver by the W3C WebDriver protocol and nothing else.

    with Browser(cluster, cluster.client) as browser:
        browser.open("http://192.0.2.1:9777/")
        browser.run("return document.title")
        browser.press(TAB)
"""

import base64
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

import netns
from harness import Failed, skip

TAB, ENTER, SPACE = "\ue004", "\ue007", " "
PORT = 9515
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--disable-default-apps", "--disable-extensions", "--hide-scrollbars=false"]


def need():
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            skip(f"{program} is not installed: packaging/install-dependencies browser")


class Browser:
    def __init__(self, cluster, namespace):
        self._cluster, self._namespace = cluster, namespace
        self._driver = self._session = None

    def __enter__(self):
        directory = f"{self._cluster.directory}/browser"
        os.makedirs(directory)
        environment = dict(os.environ, HOME=directory, XDG_CONFIG_HOME=directory, XDG_CACHE_HOME=directory)
        with open(f"{directory}/driver.txt", "w") as log:
            self._driver = subprocess.Popen(
                netns.command(self._namespace, ["chromedriver", f"--port={PORT}"]), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=environment, start_new_session=True, preexec_fn=netns.die_with_parent)
        try:
            self._cluster.wait_until(self._ready, "chromedriver answers", seconds=60)
            self._begin(f"{directory}/profile")
        except BaseException:
            self._driver.kill()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._ask("DELETE", "")
        except (OSError, Failed):
            pass  # the driver goes now, and its browser with it
        self._driver.terminate()
        self._driver.wait(30)

    def _ready(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _begin(self, profile):
        options = {"binary": shutil.which("chromium"), "args": FLAGS + [f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = made["sessionId"]

    def _call(self, method, path, body=None):
        with netns.inside(self._namespace):
            request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", method=method,
                                             data=None if body is None else json.dumps(body).encode(),
                                             headers={"Content-Type": "application/json"})
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
                    return json.load(answer)["value"]
            except urllib.error.HTTPError as error:
                raise Failed(f"chromedriver: {path}: {error.read().decode()[:2000]}") from None

    def _ask(self, method, path, body=None):
        return self._call(method, f"/session/{self._session}{path}", body)

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The result of a function body in the page."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screen(self, width, height, phone=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=2 if phone else 1, mobile=phone)

    def prefer(self, **features):
        """prefer(prefers_color_scheme="dark")"""
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def picture(self, path, whole=True):
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))

    def complaints(self):
        """What is on the console since the last call."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def asked(self):
        """The addresses of all requests since the last call, except those of the browser's own first page."""
        urls = []
        for entry in self._ask("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return [url for url in urls if not url.startswith("chrome://")]
