"""The import that Gyre's is measured against: Pillow in two processes, into one numpy memmap.

Reads jobs as JSON lines on stdin, {"folder", "out", "fresh", "draft"}, answers each with {"images", "seconds", "cpuSeconds"}.
Every shortcut is taken that a fast user would take: draft mode if "draft" says so, workers that write their pixels themselves, and
processes that are started before the clock, unless "fresh" asks for new ones.
"""

import json
import os
import sys
import time
from multiprocessing import Pool

import numpy as np
from PIL import Image

SIZE = 64
PROCESSES = 2
WHITE = (255, 255, 255)


def pixels(path, draft):
    """The centre square of an image at SIZE, RGB over white; with draft, a JPEG is scaled down while it is decoded."""
    with Image.open(path) as image:
        if draft:
            image.draft("RGB", (SIZE, SIZE))
        if image.mode in ("RGBA", "LA") or "transparency" in image.info:
            image = image.convert("RGBA")
            ground = Image.new("RGB", image.size, WHITE)
            ground.paste(image, mask=image.getchannel("A"))
            image = ground
        else:
            image = image.convert("RGB")
        if image.size != (SIZE, SIZE):
            width, height = image.size
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            image = image.resize(
                (SIZE, SIZE), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
            )
        return np.asarray(image)


def work(part):
    out, first, count, paths, draft = part
    store = np.memmap(out, dtype=np.uint8, mode="r+", shape=(count, SIZE, SIZE, 3))
    for i, path in enumerate(paths):
        store[first + i] = pixels(path, draft)


def cpu_seconds(pool):
    """Of this process and the pool's, where the system tells."""
    total = time.process_time()
    try:
        ticks = os.sysconf("SC_CLK_TCK")
        for process in pool._pool:
            with open(f"/proc/{process.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / ticks
    except OSError:
        return None
    return total


def run(folder, out, draft, pool):
    names = sorted(os.listdir(folder))
    paths = [os.path.join(folder, name) for name in names]
    store = np.memmap(out, dtype=np.uint8, mode="w+", shape=(len(paths), SIZE, SIZE, 3))
    chunk = max(1, min(64, len(paths) // (8 * PROCESSES)))
    parts = [(out, i, len(paths), paths[i : i + chunk], draft) for i in range(0, len(paths), chunk)]
    for _ in pool.imap_unordered(work, parts):
        pass
    store.flush()
    return len(paths)


def main():
    shared = Pool(PROCESSES)
    for line in sys.stdin:
        job = json.loads(line)
        before = cpu_seconds(shared)
        started = time.perf_counter()
        pool = Pool(PROCESSES) if job["fresh"] else shared
        images = run(job["folder"], job["out"], job["draft"], pool)
        seconds = time.perf_counter() - started
        after = cpu_seconds(shared)
        cpu = None if job["fresh"] or before is None or after is None else after - before
        if job["fresh"]:
            pool.terminate()
        os.remove(job["out"])
        print(json.dumps({"images": images, "seconds": seconds, "cpuSeconds": cpu}), flush=True)


if __name__ == "__main__":
    main()
