"""Runs the test programs that `cargo test --no-run` has built; `scripts/test` calls it.

    run.py BUILT alone                 tests that need nothing but this machine's files
    run.py BUILT servers               tests that are ignored without servers, and benches, each run once
    run.py BUILT doc                   examples in the documentation, which are built by their run

BUILT holds cargo's messages as JSON, one a line. Every test's name is printed when it ends. A program of
which no test ends for ORCHARD_TEST_LIMIT seconds (600 unless set) is killed, and its unfinished tests are
named: the limit is for one test, as the whole suite may take whatever the machine needs. The number of
tests that passed is appended to the file ORCHARD_TEST_COUNTS.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

LIMIT = float(os.environ.get("ORCHARD_TEST_LIMIT", "600"))
RESULT = re.compile(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED)$")
# These mostly wait for servers that they disturb, so they run beside all others.
BESIDE = {"equality"}

printing = threading.Lock()
running = set()


class Program:
    """One test program, or the documentation's tests, which cargo runs."""

    def __init__(self, name, command, folder, is_bench=False):
        self.name, self.command, self.folder, self.is_bench = name, command, folder, is_bench
        self.passed, self.failed, self.unfinished = 0, [], []

    def run(self, options):
        """Runs its tests, or does nothing where it has none of this kind."""
        is_listed = not self.is_bench and self.command[0] != "cargo"
        if is_listed:
            self.unfinished = self.tests(options)
            if not self.unfinished:
                return
        output, status = self.watch([] if self.is_bench else options)
        if status == 0 and self.is_bench:
            self.ended(self.name, True)
        elif status != 0 and not self.failed:
            self.failed.append(self.name)
        if status != 0:
            say(f"-- {self.name} ended with {status}; its output without the tests that passed:\n{output}")

    def tests(self, options):
        """The names of the tests that run with these options."""
        if "--ignored" in options:
            return self.listed("--ignored")
        ignored = set(self.listed("--ignored"))
        return [test for test in self.listed() if test not in ignored]

    def listed(self, *options):
        command = [*self.command, "--list", "--format", "terse", *options]
        listed = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]

    def watch(self, options):
        """Runs it to its end, or until nothing happens any more; gives its other output and exit code."""
        process = subprocess.Popen(
            [*self.command, *options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        running.add(process.pid)
        last = [time.monotonic()]
        over = threading.Event()
        watchdog = threading.Thread(target=self.kill_when_stalled, args=(process.pid, last, over))
        watchdog.start()
        other = []
        for line in process.stdout:
            result = RESULT.match(line.rstrip("\n"))
            # A bench has no tests, and each of its lines is progress; so are cargo's.
            if result or self.is_bench or self.command[0] == "cargo":
                last[0] = time.monotonic()
            if result:
                self.ended(result[1], result[2] == "ok")
            elif line.startswith("skipped: "):
                say(line.rstrip())
            else:
                other.append(line)
        status = process.wait()
        over.set()
        watchdog.join()
        running.discard(process.pid)
        return "".join(other), status

    def kill_when_stalled(self, pid, last, over):
        while not over.wait(1):
            if time.monotonic() - last[0] > LIMIT:
                self.failed.extend(f"{test} (not finished)" for test in self.unfinished or [self.name])
                say(f"KILLED {self.name}: no test has ended for {LIMIT:.0f} s")
                kill(pid)
                return

    def ended(self, test, is_ok):
        shown = test if self.is_bench else f"{self.name} {test}"
        say(f"{'ok    ' if is_ok else 'FAILED'} {shown}")
        if is_ok:
            self.passed += 1
        else:
            self.failed.append(test)
        if self.unfinished and test in self.unfinished:
            self.unfinished.remove(test)


def say(text):
    with printing:
        print(text, flush=True)


def kill(pid):
    """Kills a test program and what it has started; those who stop its servers live on to do so."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def stop(number, _):
    for pid in list(running):
        kill(pid)
    os._exit(128 + number)


def built(path):
    """The programs among cargo's messages, in the order in which they were built."""
    for line in Path(path).read_text().splitlines():
        message = json.loads(line)
        if message["reason"] != "compiler-artifact" or not message["executable"]:
            continue
        target, package = message["target"], Path(message["manifest_path"]).parent
        kind = target["kind"][0]
        if not message["profile"]["test"] and kind != "bench":
            continue
        name = package.name if kind == "lib" else target["name"]
        yield Program(name, [message["executable"]], package, kind == "bench")


def main():
    _, path, what = sys.argv
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if what == "doc":
        command = ["cargo", "test", "--locked", "--workspace", "--all-features", "--doc"]
        programs, options = [Program("documentation", command, Path.cwd())], []
    elif what == "alone":
        programs, options = [program for program in built(path) if not program.is_bench], []
    else:
        programs, options = list(built(path)), ["--ignored"]
    beside = [program for program in programs if program.name in BESIDE]
    others = [program for program in programs if program.name not in BESIDE]
    lanes = [
        threading.Thread(target=lambda lane=lane: [program.run(options) for program in lane], daemon=True)
        for lane in (beside, others)
    ]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    with open(os.environ["ORCHARD_TEST_COUNTS"], "a", encoding="utf-8") as counts:
        print(sum(program.passed for program in programs), file=counts)
    failed = [f"{program.name} {test}" for program in programs for test in program.failed]
    if failed:
        say("these tests failed:\n" + "\n".join(f"  {test}" for test in failed))
        sys.exit(1)


main()
