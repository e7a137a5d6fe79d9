# SPDX-License-Identifier: Apache-2.0
"""No command, option or key is forgotten: what the programs themselves know is what man pages and completion name.

Commands and options are taken from --help, which is made from the table that runs them; keys from what `nlbctl check`
says to an unknown one in each section. The man pages must render without a warning, of groff and of mandoc.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("NLBD_BUILD_DIR", os.path.join(SOURCE, "build/release"))
PAGES = {name: os.path.join(SOURCE, "packaging/man", name) for name in ("nlbd.8", "nlbctl.8", "nlbctl-json.5", "cluster.toml.5")}
EXAMPLE = os.path.join(SOURCE, "etc/cluster.toml")
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


def same(what, known, named):
    """The same names, no one missing, no one too many."""
    check(not known - named, f"{what} lacks {', '.join(sorted(known - named))}")
    check(not named - known, f"{what} names {', '.join(sorted(named - known))}, which nobody knows")


def run(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


def read(path):
    with open(path) as file:
        return file.read()


# What the programs know

def help_of(program, *command):
    done = run(os.path.join(BUILD, program), *command, "--help")
    check(done.returncode == 0, f"{program} {' '.join(command)} --help: exit {done.returncode}")
    return done.stdout


def options_in(text):
    return set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE))


def commands():
    return set(re.findall(r"^  ([\w-]+) ", help_of("nlbctl").split("Subcommands:")[1], re.MULTILINE))


SECTIONS = {  # how an unknown key gets into each, and the beginning of the answer
    "[cluster]": ("[cluster]\nunknown = 1\n", "cluster"), "[heartbeat]": ("[heartbeat]\nunknown = 1\n", "heartbeat"),
    "[agent]": ("[agent]\nunknown = 1\n", "agent"), "[control]": ("[control]\nunknown = 1\n", "control"),
    "[announce]": ("[announce]\nunknown = 1\n", "announce"),
    "[metrics]": ("[metrics]\nunknown = 1\n", "metrics"), "[[node]]": ("[[node]]\nunknown = 1\n", "node"),
    "[[virtual_ip]]": ("[[virtual_ip]]\nunknown = 1\n", "virtual_ip"), "[[rule]]": ("[[rule]]\nunknown = 1\n", "rule")}
WHOLE = """
[cluster]
name = "web"
interface = "eth0"
[[node]]
id = 1
name = "web1"
[[virtual_ip]]
address = "192.0.2.100"
"""


def allowed(text):
    """The names that the complaint about an unknown key allows."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        said = run(os.path.join(BUILD, "nlbctl"), "check", file.name).stderr
    listed = re.search(r"unknown key, (?:allowed are|the only one is) (.*)$", said, re.MULTILINE)
    if not listed:
        check(False, f"check does not say what is allowed in:\n{text}\n{said}")
        return set()
    return set(re.split(r", | and ", listed[1]))


def keys():
    """section header -> its keys"""
    known = {}
    for header, (lines, table) in SECTIONS.items():
        # The unknown key comes first in its table, and the table is one that is complete without it.
        text = WHOLE.replace(f"\n{header}\n", f"\n{lines}") if f"\n{header}\n" in WHOLE else WHOLE + lines
        known[header] = allowed(text)
    names = {header.strip("[]") for header in SECTIONS}
    same("this test", allowed("unknown = 1\n" + WHOLE), names)
    return known


# What the documents name

def commands_in_man(page):
    """command -> its options, from the items of the page."""
    found, last = {}, None
    for line in page.splitlines():
        if command := re.match(r"\.It Cm ([\w-]+)", line):
            last = found.setdefault(command[1], set())
        elif last is not None and (option := re.match(r"\.It Fl -([\w-]+)", line)):
            last.add("--" + option[1])
        elif line.startswith(".Sh"):
            last = None
    return found


def options_in_man(page):
    """The options of the program itself: those before the first command."""
    beginning = page.split(".It Cm ")[0]
    return {"--" + option for option in re.findall(r"^\.It Fl (?:h , )?-([\w-]+)", beginning, re.MULTILINE)}


def keys_in_man(page):
    """section header -> its keys"""
    found = {}
    for part in re.split(r"^\.Ss ", page, flags=re.MULTILINE)[1:]:
        header, text = part.split("\n", 1)
        if header.startswith("["):
            found[header] = set(re.findall(r"^\.It Ic (\w+)", text, re.MULTILINE))
    return found


def completion(program, *words, folder=BUILD):
    """What bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""source '{SOURCE}/packaging/completion/{program}'
        COMP_WORDS=('{folder}/{program}' {quoted}); COMP_CWORD={len(words)}
        _{program}; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = run("bash", "--norc", "-c", script)
    check(not done.stderr, f"completion of {program} {words}: {done.stderr}")
    return set(done.stdout.split())


def completion_of(shell, program, *words):
    """What another shell offers for the last word."""
    with tempfile.TemporaryDirectory() as folder:
        installed, script = "/usr/share/bash-completion/completions", os.path.join(folder, "script")
        source = read(os.path.join(SOURCE, "packaging/completion", {"fish": "nlbctl.fish", "zsh": "_nlbctl"}[shell]))
        check(installed in source, f"the completion of {shell} does not use bash's")
        with open(script, "w") as file:
            file.write(source.replace(installed, f"{SOURCE}/packaging/completion"))
        line = " ".join((f"{BUILD}/{program}", *words))
        ask = {"fish": f"source {script}; complete -C '{line}'",
               "zsh": f"compadd() {{ print -l -- ${{@[3,-1]}}; }}; service={program}; words=({line.rstrip()} "
                      f"{'' if words[-1] else chr(39) * 2}); CURRENT={len(words) + 1}; source {script}"}[shell]
        done = run(shell, *{"fish": ["--no-config"], "zsh": ["-f"]}[shell], "-c", ask)
        check(not done.stderr, f"{shell}'s completion of {program} {words}: {done.stderr}")
        return set(done.stdout.split())


# The comparisons

def check_commands():
    known, page = commands(), read(PAGES["nlbctl.8"])
    named = commands_in_man(page)
    same("nlbctl(8)", known, set(named))
    same("the completion of nlbctl", known, completion("nlbctl", ""))
    everywhere = options_in(help_of("nlbctl"))
    same("nlbctl(8)", everywhere, options_in_man(page))
    same("the completion of nlbctl", everywhere, completion("nlbctl", "-"))
    for command in sorted(known):
        options = options_in(help_of("nlbctl", command)) - {"--help"}
        same(f"nlbctl(8), {command}", options, named.get(command, set()))
        offered = completion("nlbctl", command, "-")
        same(f"the completion of nlbctl {command}", options | everywhere - {"--version"}, offered)
    guide = read(os.path.join(SOURCE, "etc/guide/operations.md"))
    for command in sorted(known):
        check(re.search(rf"`(?:nlbctl )?{command}\b", guide), f"etc/guide/operations.md lacks the command {command}")


def check_agent():
    known = options_in(help_of("nlbd"))
    same("nlbd(8)", known, options_in_man(read(PAGES["nlbd.8"])))
    same("the completion of nlbd", known, completion("nlbd", "-"))


def check_keys():
    known, named, example = keys(), keys_in_man(read(PAGES["cluster.toml.5"])), read(EXAMPLE)
    for header in known:
        same(f"cluster.toml(5), {header}", known[header], named.get(header, set()))
        for key in known[header]:
            check(re.search(rf"^#? *{key} *=", example, re.MULTILINE), f"etc/cluster.toml lacks {header} {key}")


def check_rendering():
    for page in PAGES.values():
        for tool in (("mandoc", "-Tlint", "-Wwarning"), ("groff", "-mdoc", "-ww", "-Tutf8", "-z")):
            check(shutil.which(tool[0]), f"{tool[0]} is not installed")
            done = run(*tool, page)
            check(done.returncode == 0 and not done.stdout + done.stderr, f"{tool[0]}: {done.stdout}{done.stderr}")


def check_other_shells():
    """zsh and fish offer what bash does."""
    for shell in ("zsh", "fish"):
        check(shutil.which(shell), f"{shell} is not installed")
        for program, *words in (("nlbctl", ""), ("nlbctl", "sta"), ("nlbctl", "drain", "--"), ("nlbd", "--log-level", ""),
                                ("nlbctl", "check", f"{SOURCE}/READ")):
            same(f"{shell}'s completion of {program} {words}", completion(program, *words),
                 completion_of(shell, program, *words))


def check_firewall():
    """The service for firewalld opens the ports that are in use by default."""
    service = xml.etree.ElementTree.parse(os.path.join(SOURCE, "packaging/firewalld/nlbd.xml")).getroot()
    opened = {(port.get("protocol"), port.get("port")) for port in service.iter("port")}
    example = read(EXAMPLE)
    default = {(protocol, re.search(rf"^\[{section}\]\n(?:.*\n)*?# port = (\d+)", example, re.MULTILINE)[1])
               for section, protocol in (("heartbeat", "udp"), ("control", "tcp"))}
    check(opened == default, f"firewalld's service opens {opened}, the defaults are {default}")


def check_arguments():
    check(completion("nlbctl", "explain", "") == {"tcp", "udp"}, "completion of explain")
    check(completion("nlbctl", "explain", "--flags", "") == {"syn", "ack"}, "completion of explain --flags")
    check(completion("nlbctl", "--run-dir", "/nonexistent", "sta") == {"status", "start"}, "completion after --run-dir")
    check("etc/" not in completion("nlbctl", "stop", "x"), "completion offers files where a node belongs")
    check(f"{SOURCE}/README.md" in completion("nlbctl", "check", f"{SOURCE}/READ"), "completion of a file")


def check_names():
    """Names are the agent's, and a rule's owners are no rules. What answers is a stand-in, in the form of nlbctl. Root asks
    at one TAB, so the reply of an agent that an attacker has taken over is neither run nor expanded nor shown."""
    parts = {"members": [{"id": 1, "name": "web1"}, {"id": 2, "name": "web2"}],
             "rules": [{"name": "http", "owners": [{"id": 2, "name": "web2", "buckets": 65536}]}, {"name": "dns"}]}
    with tempfile.TemporaryDirectory() as folder:
        hostile = (f"web3$(touch {folder}/run)", f"web4`touch {folder}/run`", "$HOME", "web5 web6", "~", "/*", "-n",
                   "\x1b[2J", "web7\u009b2J", "web8\\", "a[$(touch %s/run)]" % folder, "x" * 64, "w\u202e1", "")
        parts["members"] += [{"id": 3, "name": name} for name in hostile]
        parts["rules"] += [{"name": name} for name in hostile]
        for part, answer in parts.items():
            with open(os.path.join(folder, part), "w") as file:
                json.dump(answer, file, indent=2)
        program = os.path.join(folder, "nlbctl")
        with open(program, "w") as file:
            file.write(f'#!/bin/sh\ncat "{folder}/$2"\n')
        os.chmod(program, 0o755)
        same("the completion of nlbctl disable", {"http", "dns"}, completion("nlbctl", "disable", "", folder=folder))
        for words in (("stop", ""), ("disable", "http", "")):
            same(f"the completion of nlbctl {words[0]}", {"all", "web1", "web2"},
                 completion("nlbctl", *words, folder=folder))
        same("the completion of nlbctl stop w", {"web1", "web2"}, completion("nlbctl", "stop", "w", folder=folder))
        check(not os.path.exists(os.path.join(folder, "run")), "completion runs commands that stand in a name")


def check_reasons():
    """What packets and beats are counted by, and each problem, is explained where the keys of --json are."""
    page = read(PAGES["nlbctl-json.5"])
    refusals = read(os.path.join(SOURCE, "heartbeat/codec.cpp")).split("to_string(Refusal")[1].split("};")[0]
    known = re.findall(r'X\(\w+, "(\w+)",', read(os.path.join(SOURCE, "filter/verdict/layout.h")))
    known += re.findall(r'"(\w+)"', refusals)
    check(len(known) > 40, f"only {len(known)} reasons were found in the sources")
    for reason in known:
        check(re.search(rf"^\.Li .*\b{reason}\b", page, re.MULTILINE), f"nlbctl-json(5) lacks the reason {reason}")
    source = read(glob.glob(os.path.join(SOURCE, "agent/**/problems.cpp"), recursive=True)[0])
    problems = re.findall(r'^    \{"(\w+)", (?:true|false)', source, re.MULTILINE)
    check(problems, "no problem was found in the sources")
    findings = re.findall(r'^    \{"(\w+)", (?:true|false),', read(os.path.join(SOURCE, "agent/nlbctl/findings.cpp")), re.MULTILINE)
    check(len(findings) > 20, f"only {len(findings)} findings of the doctor were found in the sources")
    for name in problems + findings:
        check(re.search(rf"^\.It Sy {name}$", page, re.MULTILINE), f"nlbctl-json(5) lacks the problem or finding {name}")
    guide = read(os.path.join(SOURCE, "etc/guide/troubleshooting.md"))
    for name, serious in re.findall(r'^    \{"(\w+)", (true|false)', source, re.MULTILINE):
        row = f"| `{name}` | {'yes' if serious == 'true' else 'no'} |"
        check(row in guide, f"etc/guide/troubleshooting.md lacks {row}")


def check_rules():
    """Each rule of the protocol that can be taken out (test/mutation) is in the table of the protocol's page, and no other."""
    tried = set(re.findall(r'^    "([^"]+)": \[', read(os.path.join(SOURCE, "test/mutation/run")), re.MULTILINE))
    table = read(os.path.join(SOURCE, "heartbeat/README.md")).split("| without | seed | scenario |\n|---|---|---|\n")[1].split("\n\n")[0]
    same("heartbeat/README.md", tried, set(re.findall(r"^\| ([^|]+?)(?: \(\d+\))? \|", table, re.MULTILINE)))


def check_versions():
    said = {name: re.search(pattern, read(os.path.join(SOURCE, name)), re.MULTILINE)[1] for name, pattern in (
        ("CMakeLists.txt", r"^project\(nlbd VERSION ([\d.]+)"), ("packaging/rpm/nlbd.spec", r"^Version: +(\S+)"),
        ("packaging/debian/changelog", r"^nlbd \(([^)]+)\)"))}
    check(len(set(said.values())) == 1, f"not one version: {said}")


def check_configurations():
    """What is shipped to start from is right, and every file that a guide names is there."""
    shipped = glob.glob(os.path.join(SOURCE, "etc/**/*.toml"), recursive=True)
    guides = glob.glob(os.path.join(SOURCE, "etc/examples/*/README.md"))
    check(len(shipped) >= len(guides) > 4, f"{len(guides)} guides and {len(shipped)} configurations")
    for path in shipped:
        done = run(os.path.join(BUILD, "nlbctl"), "check", path)
        check(done.returncode == 0, done.stderr.strip())
    overview = read(os.path.join(SOURCE, "README.md"))
    check(len(overview.encode()) <= 8192, f"README.md has {len(overview.encode())} bytes, more than 8 kB")
    for path in guides:
        folder = os.path.dirname(path)
        check(os.path.relpath(folder, SOURCE) in overview, f"README.md does not name the guide {folder}")


check_commands()
check_agent()
check_configurations()
check_keys()
check_arguments()
check_other_shells()
check_firewall()
check_names()
check_reasons()
check_rules()
check_versions()
check_rendering()
for failure in failures:
    print("FAILED:", failure, file=sys.stderr)
sys.exit(1 if failures else 0)
