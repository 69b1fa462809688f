#!/usr/bin/env python3
"""Uploads and upgraded connections that are open for seconds, across switches: each must end where it began.

    long_requests.py PORT        until SIGTERM; prints what was seen, and ends with 1 when one of them failed

An upload is chunked, a chunk every 50 ms; its answer says how many bytes came and which version counted them. An upgraded connection is told the
version first, then each byte it sends comes back. A version is asked for before and after: what a request met must be one that was in force at its
beginning. Only the standard library is used, and none of imm.
"""

import asyncio
import random
import signal
import sys

PORT = int(sys.argv[1])
UPLOADS, UPGRADES = 8, 8
seen = {"uploads": 0, "upgraded": 0, "uploads across a switch": 0, "upgraded across a switch": 0}
failures: list[str] = []


async def version() -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return int(answer.split(b"\r\n\r\n", 1)[1])


async def upload() -> None:
    first = await version()
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"POST /up HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n")
    await writer.drain()
    await asyncio.sleep(0.2)
    last, sent = await version(), 5
    for _ in range(random.randrange(10, 60)):
        chunk = random.randbytes(random.randrange(1, 4096))
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        await writer.drain()
        sent += len(chunk)
        await asyncio.sleep(0.05)
    writer.write(b"0\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    counted, met = (await reader.readline()).split()
    writer.close()
    assert int(counted) == sent, f"{counted} of {sent} bytes arrived"
    assert first <= int(met) <= last, f"met version {met}, began between {first} and {last}"
    seen["uploads"] += 1
    seen["uploads across a switch"] += await version() > int(met)


async def upgraded() -> None:
    first = await version()
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"GET /ws HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    met = int(await reader.readline())
    last = await version()
    assert first <= met <= last, f"met version {met}, began between {first} and {last}"
    for _ in range(random.randrange(10, 60)):
        message = random.randbytes(random.randrange(1, 4096))
        writer.write(message)
        await writer.drain()
        assert await reader.readexactly(len(message)) == message, "other bytes came back"
        await asyncio.sleep(0.05)
    writer.close()
    seen["upgraded"] += 1
    seen["upgraded across a switch"] += await version() > met


async def again(what, end: asyncio.Event) -> None:
    while not end.is_set():
        try:
            await asyncio.wait_for(what(), 60)
        except Exception as error:  # whatever it is, it is a request that did not end well
            failures.append(f"{what.__name__}: {error!r}")
            await asyncio.sleep(0.1)


async def main() -> int:
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    tasks = [again(upload, end) for _ in range(UPLOADS)] + [again(upgraded, end) for _ in range(UPGRADES)]
    await asyncio.gather(*tasks)
    print(", ".join(f"{count} {what}" for what, count in seen.items()) + f", {len(failures)} failed")
    for failure in failures[:10]:
        print(failure)
    return 1 if failures or not seen["uploads across a switch"] or not seen["upgraded across a switch"] else 0


sys.exit(asyncio.run(main()))
