"""Run a command and print seconds, peak memory in bytes and exit status: ``watch.py PROGRAM ARGUMENT…``.

It is run by its file name and imports next to nothing, because a process inherits the peak memory of its parent. The
command's output goes to standard error.
"""

from __future__ import annotations

import os
import sys
import time


def watch(command: list[str]) -> tuple[float, int, int]:
    """Run *command* and return seconds, peak memory in bytes and exit status.

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
