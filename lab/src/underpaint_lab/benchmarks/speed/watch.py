"""Run a command and print what it took: ``watch.py PROGRAM ARGUMENT…`` → seconds, peak memory in bytes, exit status.

It is run by its file name and imports next to nothing, because a process starts out with the peak memory of the one
that started it. What the command prints goes to standard error.
"""

from __future__ import annotations

import os
import sys
import time


def watch(command: list[str]) -> tuple[float, int, int]:
    """Run *command* and return what the module prints.

    Raises:
        OSError: it cannot be started.
    """
    started = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    _, status, usage = os.wait4(process, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - started, usage.ru_maxrss * unit, os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    print(*watch(sys.argv[1:]))
