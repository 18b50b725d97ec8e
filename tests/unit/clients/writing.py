"""A process that records calls until it is killed, for the tests of the rows that a crash loses.

It prints the time at which it recorded each call.
"""

import asyncio
import sys
import time
from itertools import count

from app.clients.ledger import Ledger
from app.store.database import open_database
from app.store.ledger import LedgerTable
from tests.unit.clients.ledgers import call


async def _run(url: str, flush_s: float) -> None:
    async with open_database(url) as database, Ledger(LedgerTable(database), flush_s=flush_s, keep_days=1) as ledger:
        for number in count():
            ledger.record(call(number))
            sys.stdout.write(f"{time.time()}\n")
            sys.stdout.flush()
            await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], float(sys.argv[2])))
