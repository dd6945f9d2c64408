# SPDX-License-Identifier: Apache-2.0
"""Procrastinate: by default one job at a time; at its best 20 at a time in each process."""

import importlib.metadata
import time

import burn_down
from procrastinate import App, PsycopgConnector

ENQUEUED_AT_ONCE = 1_000


def application(url: str) -> App:
    app = App(connector=PsycopgConnector(conninfo=url, min_size=4, max_size=20))

    @app.task(name="noop", queue="noop")
    async def noop() -> None:
        pass

    return app


async def install(url: str) -> None:
    async with application(url).open_async() as app:
        await app.schema_manager.apply_schema_async()


async def enqueue(url: str, count: int) -> None:
    async with application(url).open_async() as app:
        task = app.tasks["noop"]
        for start in range(0, count, ENQUEUED_AT_ONCE):
            await task.batch_defer_async(*[{} for _ in range(min(ENQUEUED_AT_ONCE, count - start))])


async def work(url: str, setting: str) -> tuple[float, float]:
    options = {"concurrency": 20} if setting == "best" else {}
    async with application(url).open_async() as app:
        begun = time.monotonic()
        await app.run_worker_async(wait=False, install_signal_handlers=False, **options)
        return begun, time.monotonic()


async def finished(url: str) -> int:
    async with application(url).open_async() as app:
        rows = await app.connector.execute_query_all_async(
            "SELECT count(*) AS count FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
        return rows[0]["count"]


if __name__ == "__main__":
    version = importlib.metadata.version("procrastinate")
    burn_down.main(burn_down.Peer("Procrastinate", version, install, enqueue, work, finished))
