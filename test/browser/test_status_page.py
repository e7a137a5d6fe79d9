# SPDX-License-Identifier: Apache-2.0
"""The status page in a real browser: it shows what status.json says, goes on showing it when a node dies, says so
when the agent does not answer, loads nothing from elsewhere, and can be read by keyboard, on a telephone, in the dark.

    client (headless Chromium) --- bridge --- web1, web2, web3, each with [metrics] listen = "0.0.0.0:9777"

NLBD_PICTURES=DIRECTORY keeps screenshots.
"""

import json
import os
import signal
import sys
import time

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(SOURCE, "test/net"))
import browser as chromium  # noqa: E402
import flows  # noqa: E402
import scrape  # noqa: E402
from harness import VIP4, Cluster, check, main  # noqa: E402
from owners import check_tcp  # noqa: E402

URL = f"http://192.0.2.1:{scrape.PORT}/"
PICTURES = os.environ.get("NLBD_PICTURES")

SHOWN = """
    const cells = row => [...row.querySelectorAll('th, td')].map(cell => cell.innerText.trim());
    return {
        title: document.title, cluster: document.querySelector('h1').innerText,
        node: document.getElementById('node').innerText, state: document.getElementById('state').innerText.trim(),
        banner: document.getElementById('banner').hidden ? null : document.getElementById('banner').innerText,
        tiles: Object.fromEntries([...document.querySelectorAll('.tiles div')].map(
            tile => [tile.querySelector('dt').innerText, tile.querySelector('dd span').innerText])),
        wrong: [...document.querySelectorAll('#wrong li')].map(line => line.innerText),
        about: document.getElementById('member-count').innerText,
        change: document.querySelector('.tiles div:nth-child(3) small').innerText,
        members: [...document.querySelectorAll('#member-rows tr')].map(cells),
        bars: [...document.querySelectorAll('#rule-rows .bar')].map(bar => bar.getAttribute('aria-label')),
        rules: [...document.querySelectorAll('#rule-rows tr')].map(cells),
        events: [...document.querySelectorAll('#event-rows .what')].map(what => what.innerText),
        said: document.getElementById('said').innerText, fresh: document.getElementById('fresh').innerText};"""

# Words of what is visible that stand on two lines; each member has a remark behind its tags.
BROKEN = """
    document.querySelectorAll('#member-rows td.note > span:last-child').forEach(note => note.textContent = 'unhealthy: https');
    const found = [], range = document.createRange(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode, parent = text.parentElement;
        if (!parent.checkVisibility() || ['SCRIPT', 'STYLE'].includes(parent.tagName) || parent.closest('.hidden')) continue;
        for (const word of text.data.matchAll(/[\\w.:]+/g)) {
            range.setStart(text, word.index); range.setEnd(text, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map(rect => Math.round(rect.top))).size > 1) found.push(word[0]);
        }
    }
    return found;"""

# Contrast as in WCAG 2.1, 1.4.3, of every text that is visible, against the nearest background that is not transparent.
# A canvas turns any colour of CSS into numbers.
CONTRASTS = """
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const numbers = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data]; };
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = node => { for (; node; node = node.parentElement) {
        const colour = numbers(getComputedStyle(node).backgroundColor); if (colour[3] === 255) return colour; } return [255, 255, 255]; };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
        if (!text || !node.checkVisibility() || ['SCRIPT', 'STYLE'].includes(node.tagName) || node.closest('.hidden, .nobody')) continue;
        const one = light(numbers(getComputedStyle(node).color)), other = light(behind(node));
        found.push([(Math.max(one, other) + .05) / (Math.min(one, other) + .05), text]);
    }
    return found.sort((a, b) => a[0] - b[0]).slice(0, 5).concat([[found.length, 'texts']]);"""


class Page:
    def __init__(self, cluster, browser):
        self.cluster, self.browser = cluster, browser

    def shown(self):
        return self.browser.run(SHOWN)

    def wait(self, condition, what, seconds=30):
        """What is shown as soon as the condition holds."""
        return self.cluster.wait_until(lambda: condition(shown := self.shown()) and shown, what, seconds, every=0.2)

    def picture(self, name):
        if PICTURES:
            self.browser.picture(os.path.join(PICTURES, f"{name}.png"))


def percent(part):
    return f"{100 * part:.1f} %"


def check_contents(page):
    cluster = page.cluster
    shown = page.wait(lambda shown: len(shown["members"]) == 3 and shown["events"] and shown["banner"] is None,
                      "the page shows something")
    status = json.loads(scrape.get(cluster, "192.0.2.1", "/status.json").text)
    check(shown["cluster"] == "web" and shown["node"] == "web1" and shown["state"] == "active", f"the head: {shown}")
    check(shown["title"] == "web: 3 of 3 active", shown["title"])
    check(shown["tiles"]["Members active"] == "3 of 3" and shown["tiles"]["Leader"] == "web1", shown["tiles"])
    view = status["view"]
    check(f"view {view['term']}.{view['number']}, " in shown["about"], shown["about"])
    check(shown["wrong"] == [], f"wrong, though all is well: {shown['wrong']}")
    for member, cells in zip(status["members"], shown["members"]):
        check(cells[0].split() == [str(member["id"]), member["name"]], f"{member}: {cells}")
        check(cells[1] == member["state"] and cells[2] == percent(member["share"]), f"{member}: {cells}")
        check(cells[3] == str(member["weight"]), f"{member}: {cells}")
        check(("ms" in cells[4] or " s" in cells[4]) == (member["name"] != "web1"), f"last beat: {cells}")
    check("this node" in shown["members"][0][5] and "leader" in shown["members"][0][5], shown["members"][0])
    for rule, cells, bar in zip(status["rules"], shown["rules"], shown["bars"]):
        check(rule["name"] in cells[0] and rule["ports"] in cells[0] and cells[1] == "enabled", f"{rule}: {cells}")
        owners = ", ".join(f"{owner['name']} {percent(owner['buckets'] / 65536)}" for owner in rule["owners"])
        check(bar == owners, f"{rule['name']}: {bar}, not {owners}")
    events = json.loads(scrape.get(cluster, "192.0.2.1", "/events.json").text)
    check(shown["events"] == [event["text"] for event in events][:12], f"events: {shown['events']}, not {events}")
    check(shown["tiles"]["Last change"].count(":") == 2, shown["tiles"])
    check(shown["change"] in next(event["text"] for event in events if event["kind"] == "view"), shown["change"])


def check_rates(page):
    check_tcp(page.cluster, flows.many(400, VIP4, 7002))
    page.wait(lambda shown: any(any(c in cell for c in "123456789") for cell in [shown["rules"][1][3].split("\n")[0]]),
              "traffic shows as a rate")


def check_death(page):
    page.cluster.crash(3)
    shown = page.wait(lambda shown: shown["members"][2][1] == "dead", "the dead node is shown as dead")
    check(shown["title"].endswith("web: 2 of 3 active") and shown["tiles"]["Members active"] == "2 of 3", f"{shown}")
    page.wait(lambda shown: "web3 is dead" in shown["said"], "and said aloud")
    check(any(line.startswith("web3 is dead") for line in shown["wrong"]), f"wrong: {shown['wrong']}")
    page.wait(lambda shown: "web3 removed" in shown["change"], "the last change is named")
    shown = page.wait(lambda shown: all("web3" not in bar for bar in shown["bars"]), "its buckets have other owners")
    check(any("web3 removed" in text for text in shown["events"]), f"no event: {shown['events']}")
    page.picture("dead")


def check_silence(page):
    agent = page.cluster.agents[1]
    agent.send_signal(signal.SIGSTOP)
    try:
        shown = page.wait(lambda shown: shown["banner"], "an agent that does not answer is told")
        check("No answer from web1 since" in shown["banner"], shown["banner"])
        check(shown["state"] == "unknown" and "no answer" in shown["title"], f"{shown}")
        page.picture("stale")
    finally:
        agent.send_signal(signal.SIGCONT)
    page.wait(lambda shown: shown["banner"] is None and shown["state"] == "active", "it answers again")


def check_keyboard(page):
    """Tab goes through everything there is to press, in the order of the page, and shows where it is."""
    browser = page.browser
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0);")
    names = []
    for _ in range(20):
        browser.press(chromium.TAB)
        name, outline = browser.run("""const at = document.activeElement, style = getComputedStyle(at);
            return [at.id || at.innerText.split('\\n')[0], style.outlineStyle];""")
        if at_end(browser):
            break
        check(outline != "none", f"the focus on {name} cannot be seen")
        names.append(name)
    wanted = ["Skip to the members", "pause", "more", "Packets by verdict", "Beats",
              "Commands and connections of other agents", "ARP and neighbour discovery", "metrics", "status", "events"]
    check(names == [name for name in wanted if name != "more" or "more" in names], f"Tab goes through {names}")
    browser.run("document.getElementById('pause').focus()")
    browser.press(chromium.ENTER)
    page.wait(lambda shown: shown["fresh"].startswith("paused"), "Enter pauses")
    time.sleep(4)  # longer than what is late: a pause is no alarm
    check(page.shown()["banner"] is None, "a pause is told as a silence")
    browser.press(chromium.ENTER)
    page.wait(lambda shown: shown["fresh"].startswith("live"), "and Enter goes on")
    browser.run("document.querySelector('summary').focus()")
    browser.press(chromium.ENTER)
    check("accepted" in browser.run("return document.getElementById('counters-packets').innerText"), "no counters")


def at_end(browser):
    return browser.run("return document.activeElement === document.body")


def check_structure(page):
    """What a screen reader goes by."""
    found = page.browser.run("""return {
        lang: document.documentElement.lang, main: document.querySelectorAll('main').length,
        header: document.querySelectorAll('header').length, h1: document.querySelectorAll('h1').length,
        sections: [...document.querySelectorAll('section')].every(s => document.getElementById(s.getAttribute('aria-labelledby'))),
        scopes: [...document.querySelectorAll('th')].every(th => th.scope),
        alert: document.querySelectorAll('[role=alert]').length, live: document.querySelectorAll('[aria-live]').length,
        shapes: new Set([...document.querySelectorAll('.state path')].map(path => path.getAttribute('d'))).size};""")
    check(found.pop("shapes") >= 2, "active and dead have one shape")
    check(found == {"lang": "en", "main": 1, "header": 1, "h1": 1, "sections": True, "scopes": True, "alert": 1,
                    "live": 1}, f"the structure: {found}")


def check_sizes(page):
    browser = page.browser
    for name, width, height, phone in (("phone", 360, 740, True), ("tablet", 800, 1200, True),
                                       ("desktop", 1400, 900, False), ("wall", 3840, 2160, False)):
        browser.screen(width, height, phone)
        page.wait(lambda shown: shown["members"], "the page is there")
        wide = browser.run("return document.documentElement.scrollWidth - innerWidth")
        check(wide <= 0, f"{name}: {wide} pixels beyond the edge")
        broken = browser.run(BROKEN)
        check(not broken, f"{name}: words are broken: {broken}")
        page.picture(name)
        sizes = browser.run("return parseFloat(getComputedStyle(document.documentElement).fontSize)")
        check(14 <= sizes <= 30, f"{name}: {sizes} pixels of type")
    browser.screen(1400, 900)


def check_contrast(page):
    browser = page.browser
    for scheme in ("light", "dark"):
        browser.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        *worst, (count, _) = browser.run(CONTRASTS)
        print(f"{scheme}: {count} texts, the least contrast {worst[0][0]:.2f} ({worst[0][1]!r})")
        check(count > 50 and worst[0][0] >= 4.5, f"{scheme}: too little contrast: {worst}")
        page.picture(scheme)


def test():
    chromium.need()
    with Cluster(nodes=3, extra=scrape.LISTEN) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        with chromium.Browser(cluster, cluster.client) as browser:
            page = Page(cluster, browser)
            browser.screen(1400, 900)
            browser.open(URL)
            check_contents(page)
            check_rates(page)
            check_death(page)
            check_structure(page)
            check_keyboard(page)
            check_sizes(page)
            check_contrast(page)
            check(not browser.complaints(), "the console complains")
            elsewhere = {url for url in browser.asked() if not url.startswith((URL, "data:"))}
            check(not elsewhere, f"it asks {elsewhere}")
            check_silence(page)


main(test)
