# SPDX-License-Identifier: Apache-2.0
"""A backlog of jobs that do nothing, worked off by another job queue in processes of its own.

A driver names its queue's four steps as a Peer and calls main(). The command

    python <driver>.py --jobs N --workers P --setting default|best

fills the database in DATABASE_URL, starts P workers on the full backlog, and prints one line of JSON. A worker counts
from the moment it is connected and ready to the moment it has nothing left; start-up of Python is nobody's fault.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import time
from typing import Awaitable, Callable


@dataclasses.dataclass(frozen=True)
class Peer:
    """A job queue's own way to do what is measured."""

    name: str
    version: str
    install: Callable[[str], Awaitable[None]]
    """Makes the queue's tables in the database of this URL."""
    enqueue: Callable[[str, int], Awaitable[None]]
    """Stores so many jobs by the queue's way for many at once."""
    work: Callable[[str, str], Awaitable[tuple[float, float]]]
    """Works until nothing is left, with a named setting; returns when that began and ended, by the monotonic clock."""
    finished: Callable[[str], Awaitable[int]]
    """How many jobs the database says have succeeded."""


def main(peer: Peer) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--setting", choices=["default", "best"], default="default")
    parser.add_argument("--as-worker", action="store_true")
    arguments = parser.parse_args()
    url = os.environ["DATABASE_URL"]
    if arguments.as_worker:
        begun, ended = asyncio.run(peer.work(url, arguments.setting))
        print(json.dumps({"begun": begun, "ended": ended}))
        return

    asyncio.run(peer.install(url))
    start = time.monotonic()
    asyncio.run(peer.enqueue(url, arguments.jobs))
    enqueued = arguments.jobs / (time.monotonic() - start)
    command = [sys.executable, sys.argv[0], "--as-worker", "--setting", arguments.setting]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(arguments.workers)]
    outputs = [worker.communicate()[0] for worker in workers]
    failed = [worker.returncode for worker in workers if worker.returncode != 0]
    finished = asyncio.run(peer.finished(url))
    if failed or finished != arguments.jobs:
        sys.exit(f"{peer.name}: {finished} of {arguments.jobs} jobs were done, exit codes {failed}")
    times = [json.loads(output.splitlines()[-1]) for output in outputs]
    took = max(t["ended"] for t in times) - min(t["begun"] for t in times)
    print(
        json.dumps(
            {
                "peer": peer.name,
                "version": peer.version,
                "jobs": arguments.jobs,
                "jobsPerSecond": arguments.jobs / took,
                "enqueuedPerSecond": enqueued,
            }
        )
    )
