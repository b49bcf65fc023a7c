"""Runs the ```console blocks of a page and compares what the commands print.

The convention:

* A block opens with ```console. In it, a line that begins with `$ ` is a command; lines that begin with `> ` continue
  it (and so does a `\\` at a line's end). What follows, up to the next command or the fence, is its output: standard
  output and standard error, as a terminal shows them.
* All blocks of a page run in one shell, in order, in an empty directory: variables, background jobs and files stay.
  `livebucket` is the server under test.
* A command must succeed. One that is meant to fail ends with `# fails`.
* A line of output that is `...` alone stands for any lines, none included. `...` inside a line stands for any text.
* What differs from run to run is compared by its kind only: times, request ids, signatures, access keys, durations.
  The page's ports 9000, 1935 and 9001 stand for whichever are free.
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import uuid


@dataclasses.dataclass
class Step:
    """A command of the page with the output that the page shows, and the line where it stands."""

    line: int
    command: str
    expected: list
    fails: bool


def parse(text: str) -> list:
    steps, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and line.startswith("$ "):
            command = line[2:]
            steps.append(Step(number, command, [], command.rstrip().endswith("# fails")))
        elif inside and not steps:
            raise AssertionError(f"line {number}: output before a command: {line}")
        elif inside and not steps[-1].expected and (line.startswith("> ") or steps[-1].command.endswith("\\")):
            steps[-1].command += "\n" + line.removeprefix("> ")
        elif inside:
            steps[-1].expected.append(line)
    return steps


#: Kinds of text that differ from run to run, most specific first.
KINDS = [
    (r"\x1b\[[0-9;]*m", ""),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
    (r"\b\d{8}T\d{6}Z\b", "<stamp>"),
    (r"(Signature=|x-oss-signature=)[^&\s\"']+", r"\1<signature>"),
    (r"(Expires=)\d+", r"\1<expires>"),
    (r"(OSSAccessKeyId=)[^&\s\"']+", r"\1<key>"),
    (r"\b[0-9A-F]{24}\b", "<request-id>"),
    (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "<ulid>"),
    (r"\b\d{13}\b", "<ms>"),
    (r"\b\d{10}\b", "<seconds>"),
    (r"127\.0\.0\.1:(?!9000\b|1935\b|9001\b)\d{4,5}\b", "127.0.0.1:<port>"),
    (r"\b\d+(\.\d+)?(ms|µs| ms| s)\b", "<duration>"),
]


def normal(line: str) -> str:
    for pattern, kind in KINDS:
        line = re.sub(pattern, kind, line)
    return line.rstrip()


def same(expected: list, found: list) -> bool:
    """Compares line by line, with `...` for any lines or any text."""
    if not expected:
        return not found
    if expected[0].strip() == "...":
        return any(same(expected[1:], found[at:]) for at in range(len(found) + 1))
    if not found:
        return False
    pattern = ".*".join(map(re.escape, normal(expected[0]).split("...")))
    return bool(re.fullmatch(pattern, normal(found[0]))) and same(expected[1:], found[1:])


class Shell:
    """One bash, fed a command at a time."""

    def __init__(self, directory: pathlib.Path, environment: dict, ports: dict):
        self._ports = ports
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=directory, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )

    def run(self, command: str) -> tuple:
        """(lines of output, exit code)"""
        mark = f"end-of-command-{uuid.uuid4().hex}"
        for shown, port in self._ports.items():
            command = re.sub(rf"\b{shown}\b", str(port), command)
        # In braces, so that the shell itself runs it; a command that reads must not read the commands after it.
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n%s %s\\n' {mark} $?\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            line = line.rstrip("\n")
            if line.startswith(mark):
                # The newline before the mark ended the last line or made an empty one.
                if lines and lines[-1] == "":
                    lines.pop()
                return [self._shown(one) for one in lines], int(line.split()[1])
            lines.append(line)
        raise AssertionError(f"the shell ended in: {command}\n" + "\n".join(lines))

    def _shown(self, line: str) -> str:
        for shown, port in self._ports.items():
            line = re.sub(rf"\b{port}\b", shown, line)
        return line

    def close(self):
        """Ends the shell and everything that it started."""
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(20)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def check(page: pathlib.Path, directory: pathlib.Path, environment: dict, ports: dict) -> int:
    """Runs a page; gives the number of its commands. Fails at the first that does not print what the page shows."""
    steps = parse(page.read_text())
    shell = Shell(directory, environment, ports)
    try:
        for step in steps:
            output, code = shell.run(step.command)
            where = f"{page.name}:{step.line}: $ {step.command}"
            assert (code != 0) == step.fails, f"{where}\nexit {code}, printed:\n" + "\n".join(output)
            while step.expected and not step.expected[-1].strip():
                step.expected.pop()
            assert same(step.expected, output), (
                f"{where}\nthe page shows:\n" + "\n".join(map(normal, step.expected))
                + "\nit printed:\n" + "\n".join(map(normal, output))
            )
    finally:
        shell.close()
    return len(steps)
