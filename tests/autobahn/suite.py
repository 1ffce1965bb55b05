"""The two programs of a run: the suite's, and the one under test."""

import os
import re
import signal
import subprocess
import time

AGENT = "tower-websocket"
# How long a program may take until it listens.
START = 60


class Failed(Exception):
    """A program did not do what it is there for."""


class Processes:
    """Programs with a common deadline. They are ended with this."""

    def __init__(self, seconds):
        self.deadline = time.monotonic() + seconds
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.wait()

    def start(self, command, log, **environment):
        """Starts a program that appends what it prints to this file."""
        with open(log, "ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            )
        self.running.append(process)
        return process

    def listening(self, command, pattern, log, **environment):
        """Starts a server, and what it prints of where it listens."""
        process, until = self.start(command, log, **environment), time.monotonic() + START
        while process.poll() is None and time.monotonic() < until:
            if found := re.search(pattern, log.read_text(errors="replace")):
                return found[1]
            time.sleep(0.02)
        raise Failed(f"{command[0]} does not listen")

    def stop(self):
        """Asks all that still run to end."""
        for process in self.running:
            process.send_signal(signal.SIGINT)
        for process in self.running:
            try:
                process.wait(START)
            except subprocess.TimeoutExpired:
                raise Failed(f"{process.args[0]} does not end") from None

    def wait(self, process):
        """Waits for its end. The reports tell how it went: kosoku may crash, or leave its peer, when all is done."""
        try:
            process.wait(max(0.1, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failed("it took too long") from None


def test_server(engine, program, cases, directory, jobs, seconds, **settings):
    """The suite's clients against our server, so many at once."""
    with Processes(seconds) as processes:
        log = directory / "server.log"
        url = processes.listening([program], r"listening on (\S+)\n", log, ADDR="127.0.0.1:0", **settings)
        clients = []
        for path, part in split(directory, cases, jobs):
            clients.append(processes.start(engine.client(path, part, AGENT, url), path / "log"))
        for client in clients:
            processes.wait(client)


def test_client(engine, program, cases, directory, jobs, seconds, **settings):
    """Our client against the suite's servers, so many at once."""
    with Processes(seconds) as processes:
        clients = []
        for path, part in split(directory, cases, jobs):
            listens = r"listening on (?:ws://[0-9.]+:)?(\d+)\n"
            port = processes.listening(engine.server(path, part), listens, path / "log")
            url = f"ws://127.0.0.1:{port}"
            clients.append(processes.start([program], path / "client.log", SERVER=url, AGENT=AGENT, **settings))
        for client in clients:
            processes.wait(client)
        # kosoku writes its reports when it is asked to end.
        processes.stop()


def split(directory, cases, jobs):
    """Each job's directory and cases."""
    for job in range(min(jobs, len(cases))):
        path = directory / str(job)
        path.mkdir()
        yield path, cases[job::jobs]
