# SPDX-License-Identifier: Apache-2.0
"""Every link of every document leads somewhere, in the repository and where the package installs them: to a file that is
there, and to a heading of it. What is installed links to nothing that is not."""

import os
import re
import subprocess
import sys
import tempfile

SOURCE, BUILD = os.environ["NLBD_SOURCE_DIR"], os.environ["NLBD_BUILD_DIR"]
failures = []


def read(path):
    with open(path) as file:
        return file.read()


def documents(folder):
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("build", ".git")]
        yield from (os.path.join(parent, name) for name in files if name.endswith(".md"))


def anchors(text):
    """Of its headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def look_at(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        other = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(other):
            failures.append(f"{path} links to {target}, which is not there")
        elif heading and heading not in anchors(read(other)):
            failures.append(f"{path} links to {target}: there is no such heading")


def look_at_all(folder, least):
    found = list(documents(folder))
    if len(found) < least:
        failures.append(f"{folder} has only {len(found)} documents")
    for path in found:
        look_at(path)


look_at_all(SOURCE, 25)
with tempfile.TemporaryDirectory() as directory:
    subprocess.run(["cmake", "--install", BUILD, "--prefix", f"{directory}/usr"], check=True, stdout=subprocess.DEVNULL)
    look_at_all(f"{directory}/usr/share/doc/nlbd", 15)
for failure in failures:
    print("FAILED:", failure, file=sys.stderr)
sys.exit(1 if failures else 0)
