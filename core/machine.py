"""What this machine and process are."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
import sys
from pathlib import Path

_SPINS = "10000"
"""Turns of a loop in which a thread waits for the others before it sleeps: some ten microseconds. GNU's OpenMP, torch's
on Linux, takes 300,000, in which nothing else gets the core: beside two other busy programs the tiny sample took 46 s,
with these 26 s, and the sample alone 50 s both ways. Without any it took 76 s alone."""


def share_cores() -> None:
    """Let torch's threads not wait on cores that others could use; to be called before torch is imported."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def peak_memory() -> int:
    """Largest memory that this process has had, in bytes."""
    if sys.platform == "win32":
        return _windows_peak()
    if sys.platform == "linux":
        # Of this program alone: what getrusage says begins with the peak of the process that started it.
        with contextlib.suppress(OSError, ValueError, IndexError):
            told = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
            return 1024 * int(told.split("VmHWM:")[1].split()[0])
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def forget_peak() -> None:
    """Let this process's peak memory begin anew, where the system can; elsewhere it is that of all that came before."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # memory that was freed before, which the system may have back
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def usable_cores(most: int) -> int:
    """Cores that this process may use: in a container, or where it is pinned, that is fewer than the machine has.

    Args:
        most: what a library would take by itself.
    """
    allowed = [most]
    if sys.platform == "linux":
        allowed.append(len(os.sched_getaffinity(0)))
        with contextlib.suppress(OSError, ValueError):
            quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
            allowed.append(math.ceil(int(quota) / int(period)))  # "max" is no number: no limit
    return max(1, min(allowed))


def machine_name(device: str) -> str:
    """What computes, in a few words: the system, the processor's kind, the cores, and a graphics card's name.

    Args:
        device: "cpu", "cuda" or "mps".
    """
    cores = usable_cores(os.cpu_count() or 1)
    words = f"{platform.system()} on {platform.machine()}, {cores} core{'' if cores == 1 else 's'}"
    if device != "cuda":
        return words
    import torch

    return f"{words}, {torch.cuda.get_device_name()}"


def booted_at() -> float | None:
    """When the system began, in seconds since the epoch; None where it doesn't say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return float(Path("/proc/stat").read_text(encoding="ascii").split("btime ")[1].split()[0])
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory, or the machine's, didn't suffice."""
    # torch's own error goes by its name: torch isn't imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in words or "can't allocate memory" in words)


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        *((name, ctypes.c_size_t) for name in ("peak", "now", "a", "b", "c", "d", "pagefile", "peak_pagefile")),
    ]


def _windows_peak() -> int:
    counters = _Counters()
    counters.size = ctypes.sizeof(counters)
    windows = getattr(ctypes, "windll")  # noqa: B009 (the attribute exists on Windows only)
    windows.psapi.GetProcessMemoryInfo(windows.kernel32.GetCurrentProcess(), ctypes.byref(counters), counters.size)
    return int(counters.peak)
