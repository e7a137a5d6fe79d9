# SPDX-License-Identifier: Apache-2.0
"""What administrators and developers read is plain English: forms that read as translated stay out, each named with a better one."""

import ast
import glob
import os
import re
import sys
import tokenize

SOURCE = os.environ["NLBD_SOURCE_DIR"]
READ = ("README.md", "etc/**/*.md", "etc/cluster.toml", "etc/*.yml", "etc/*.json", "packaging/man/*", "test/bench/README.md",
        "test/platforms/README.md", "heartbeat/README.md", "filter/README.md")
COMMENTS_IN = ("agent/**", "filter/**", "heartbeat/**", "test/**")
# A string or character as it is, or a comment with the comments of the lines below it.
TOKEN = re.compile(r'R"(\w*)\([^\0]*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|'
                   r'(?P<comment>//[^\n]*(?:\n[ \t]*//[^\n]*)*|/\*[^\0]*?\*/)')
BETTER = {  # what is not to be found, whatever its case: what to write
    r"left out[:;]": "Default: ...",
    r"\bso (?:long|often)\b(?! as)": "this long, how long, how often",
    r"\b(?:some|no|any|every)body\b": "the actor: a process, no node, an administrator",
    r"\bbut for\b": "except",
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


def expand(patterns):
    return [path for pattern in patterns for path in sorted(glob.glob(os.path.join(SOURCE, pattern), recursive=True))]


def check(place, text):
    for form, better in BETTER.items():
        if found := re.search(form, EXCEPT.sub("", text), re.IGNORECASE):
            failures.append(f"{place}: \"{found[0].strip()}\"; better: {better}")


def comments(path):
    """The first line's number and the text of each comment of a C or C++ file, and of each comment and docstring of a Python one."""
    with open(path) as file:
        text = file.read()
    if not path.endswith(".py"):
        for token in TOKEN.finditer(text):
            if token["comment"]:
                yield text.count("\n", 0, token.start()) + 1, token["comment"]
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (found := ast.get_docstring(node)):
            yield node.body[0].lineno, found
    with open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


documents = expand(READ)
sources = expand(f"{folder}/*.{ending}" for folder in COMMENTS_IN for ending in ("cpp", "hpp", "c", "h", "py"))
if len(documents) < 15 or len(sources) < 600:
    failures.append(f"only {len(documents)} documents and {len(sources)} sources")
for path in documents:
    with open(path) as file:
        for number, line in enumerate(file, 1):
            check(f"{path}:{number}", line)
for path in sources:
    for number, text in comments(path):
        check(f"{path}:{number}", re.sub(r"\s*\n\s*(?://|\*)?\s*|^(?://|/\*|#)\s*", " ", text).strip())
for failure in failures:
    print("FAILED:", failure, file=sys.stderr)
sys.exit(1 if failures else 0)
