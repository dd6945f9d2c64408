# SPDX-License-Identifier: Apache-2.0
"""PgQueuer: by default one process, batches of 10; at its best batches of 200 and uvloop."""

import asyncio
import importlib.metadata
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

import burn_down

ENQUEUED_AT_ONCE = 5_000


async def install(url: str) -> None:
    connection = await asyncpg.connect(url)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


async def enqueue(url: str, count: int) -> None:
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    for start in range(0, count, ENQUEUED_AT_ONCE):
        size = min(ENQUEUED_AT_ONCE, count - start)
        await queries.enqueue(["noop"] * size, [b"{}"] * size, [0] * size)
    await connection.close()


async def work(url: str, setting: str) -> tuple[float, float]:
    if setting == "best" and not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        return await asyncio.to_thread(uvloop.run, work(url, setting))
    connection = await asyncpg.connect(url)
    queue = PgQueuer.from_asyncpg_connection(connection)

    @queue.entrypoint("noop")
    async def noop(job: object) -> None:
        pass

    begun = time.monotonic()
    options = {"batch_size": 200} if setting == "best" else {}
    await queue.qm.run(mode=QueueExecutionMode.drain, **options)
    ended = time.monotonic()
    await connection.close()
    return begun, ended


async def finished(url: str) -> int:
    connection = await asyncpg.connect(url)
    count = await connection.fetchval("SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'")
    await connection.close()
    return count


if __name__ == "__main__":
    burn_down.main(burn_down.Peer("PgQueuer", importlib.metadata.version("pgqueuer"), install, enqueue, work, finished))
