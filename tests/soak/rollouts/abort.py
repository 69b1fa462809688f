#!/usr/bin/env python3
"""How long after `imm rollout abort` began the aborted version still answered.

    abort.py IMM PORT VERSION     prints milliseconds; ends with 1 when the version was never met before, or is met after a second

Eight connections ask as fast as they are answered. Only the standard library is used.
"""

import http.client
import subprocess
import sys
import threading
import time

imm, port, version = sys.argv[1], int(sys.argv[2]), f"version {sys.argv[3]}<".encode()
last, met, end = [0.0] * 8, [0] * 8, threading.Event()


def ask(which: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while not end.is_set():
        connection.request("GET", "/")
        if version in connection.getresponse().read():
            last[which] = time.monotonic()
            met[which] += 1


threads = [threading.Thread(target=ask, args=(which,)) for which in range(8)]
for thread in threads:
    thread.start()
while sum(met) < 20:
    time.sleep(0.01)
began = time.monotonic()
subprocess.run([imm, "rollout", "abort"], check=True, stdout=subprocess.DEVNULL)
time.sleep(2)
end.set()
for thread in threads:
    thread.join()
after = max(0.0, max(last) - began) * 1000
print(f"{after:.0f}")
sys.exit(after > 1000)
