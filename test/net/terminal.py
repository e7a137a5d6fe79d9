# SPDX-License-Identifier: Apache-2.0
"""A terminal that a test can look at and type into: tmux with a server of its own, so it touches no user's sessions."""

import itertools
import os
import shutil
import subprocess
import time


class Terminal:
    """with Terminal(directory, command, columns, rows) as terminal: a program runs in it, started by a shell.

    When the program has ended, the screen says "exit CODE, terminal as before" (or "changed").
    """

    _numbers = itertools.count()  # a server that has just been told to end must not be met again

    def __init__(self, directory, command, columns=80, rows=24):
        number = next(self._numbers)
        self._socket = os.path.join(directory, f"tmux{number}")
        self._pid_file = os.path.join(directory, f"terminal{number}.pid")
        words = " ".join(f"'{word}'" for word in command)
        self._script = f"""
            before=$(stty -g)
            sh -c 'echo $$ >"$0"; exec "$@"' '{self._pid_file}' {words}
            code=$?
            [ "$before" = "$(stty -g)" ] && state='as before' || state=changed
            echo "exit $code, terminal $state"
            cat"""
        self._size = ["-x", str(columns), "-y", str(rows)]

    def _tmux(self, *arguments):
        environment = {**os.environ, "LANG": "C.UTF-8"}
        environment.pop("TMUX", None)
        return subprocess.run(["tmux", "-S", self._socket, "-f", "/dev/null", *arguments], env=environment,
                              check=True, capture_output=True, text=True, timeout=30).stdout

    def __enter__(self):
        self._tmux("new-session", "-d", *self._size, self._script)
        return self

    def __exit__(self, *_):
        self._tmux("kill-server")

    @staticmethod
    def missing():
        return shutil.which("tmux") is None

    def pid(self):
        """Of the program."""
        with open(self._pid_file) as file:
            return int(file.read())

    def screen(self):
        """Its lines, without the blanks at their ends."""
        return self._tmux("capture-pane", "-p").split("\n")

    def type(self, *keys):
        self._tmux("send-keys", *keys)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, condition, what, seconds=30):
        """Returns the screen's text as soon as the condition holds for it."""
        end = time.monotonic() + seconds
        while not condition(text := "\n".join(self.screen())):
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s on the screen: {what}\n{text}")
            time.sleep(0.05)
        return text

    def wait_end(self, code=0):
        self.wait(lambda text: f"exit {code}, terminal as before" in text, f"exit code {code}, terminal restored")
