# SPDX-License-Identifier: Apache-2.0
"""What administrators and developers read is plain English: forms that read as translated stay out, each named with a better one."""

import glob
import os
import re
import sys

SOURCE = os.environ["NLBD_SOURCE_DIR"]
READ = ("README.md", "etc/**/*.md", "etc/cluster.toml", "packaging/man/*", "test/bench/README.md", "test/platforms/README.md",
        "heartbeat/README.md", "filter/README.md")
BETTER = {  # what is not to be found, whatever its case: what to write
    r"left out[:;]": "Default: ...",
    r"\bso (?:long|often)\b(?! as)": "this long, how long, how often",
    r"\b(?:some|no)body\b": "the actor: a process, no node, an administrator",
    r"\bwhoever\b": "the actor: every host that ...",
    r"(?:^|[.;:] )who (?!\w+ [^.?]*\?)": "A node that ...",
    r"\bobey": "carry out, accept",
    r"\bknock": "send a SYN, connect",
    r"\bat present\b": "now",
    r"\bonce more\b": "again",
    r"\bas yet\b": "yet",
    r"\b(?:it|this|that|which) is no (?!longer|more)\w": "is not a ...",
}
EXCEPT = re.compile(r'"nobody"|Qq nobody')  # the user of that name

failures = []
paths = [path for pattern in READ for path in sorted(glob.glob(os.path.join(SOURCE, pattern), recursive=True))]
if len(paths) < 15:
    failures.append(f"only {len(paths)} documents")
for path in paths:
    with open(path) as file:
        for number, line in enumerate(file, 1):
            for form, better in BETTER.items():
                if found := re.search(form, EXCEPT.sub("", line), re.IGNORECASE):
                    failures.append(f"{path}:{number}: \"{found[0].strip()}\"; better: {better}")
for failure in failures:
    print("FAILED:", failure, file=sys.stderr)
sys.exit(1 if failures else 0)
