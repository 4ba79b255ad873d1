#!/usr/bin/env python3
"""Start Monoglot: make its environment, then do the job.

python3 launch.py                 the window, with the built-in sample started in it
python3 launch.py --headless      the same sample without a window, as where there is no screen
python3 launch.py test [PATH ...] every check; with pytest's arguments only those tests
python3 launch.py WORD ...        the command "monoglot WORD ..."

Standard library only, and nothing that Python 3.6 cannot parse: an old Python gets words, not a SyntaxError.
Messages are ASCII (an old Python in a bare locale can print no more) and go to stderr: stdout is the job's.
"""

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

if os.name == "nt":
    import msvcrt
else:
    import fcntl

ROOT = os.path.dirname(os.path.realpath(__file__))
ENVIRONMENT = os.path.join(ROOT, ".venv")
LOG = os.path.join(ENVIRONMENT, "launch.log")
STAMP = os.path.join(ENVIRONMENT, "launch.json")
LOCK = os.path.join(ROOT, ".venv.lock")
SCRIPTS, EXE = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
PYTHON = os.path.join(ENVIRONMENT, SCRIPTS, "python" + EXE)
MONOGLOT = os.path.join(ENVIRONMENT, SCRIPTS, "monoglot" + EXE)

OLDEST = (3, 11)
NEEDED_BYTES = 3 * 10**9  # the environment takes about 2 GB, its downloads the rest
BAD_INPUT, OUR_FAULT, STOPPED = 2, 1, 130
CHECKS = ("ruff check .", "ruff format --check .", "mypy")
SIDE_BY_SIDE = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
# What an environment does not survive a change of: Python's version and its folder, which its scripts name.
MADE_FOR = [".".join(map(str, sys.version_info[:2])), ROOT]

# Opening the application loads the platform plugin, which needs more libraries than the import alone.
QT_PROBE = "from PySide6.QtWidgets import QApplication; QApplication([])"
# First what every platform plugin needs, then X11's own, then Wayland's.
QT_PACKAGES = (
    "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0 "
    "libxkbcommon-x11-0 libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 "
    "libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libwayland-cursor0 libwayland-egl1"
)
QT_COMMANDS = {
    "apt-get": "sudo apt-get install " + QT_PACKAGES,
    "dnf": "sudo dnf install mesa-libEGL mesa-libGL libxkbcommon-x11 dbus-libs fontconfig glib2 xcb-util-cursor "
    "xcb-util-wm xcb-util-image xcb-util-keysyms xcb-util-renderutil libwayland-cursor",
}

MAKE_ROOM = f"Make room on the disks of {ROOT} and {tempfile.gettempdir()} and start again."
UNREACHABLE = "Cannot reach the package index."
NO_NETWORK = re.compile(
    "NewConnectionError|Failed to establish a new connection|name resolution|getaddrinfo failed|Network is unreachable|"
    "No route to host|(ConnectTimeout|ReadTimeout|Proxy|SSL)Error|Max retries|IncompleteRead|Connection (aborted|reset)"
)
NO_SPACE = re.compile("No space left on device|Errno 28|not enough space on the disk|Disk quota exceeded")


class Trouble(Exception):
    """Expected trouble: what is wrong, and what to do about it."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


def main(words: list) -> int:
    """Do what the words ask for and return the exit status."""
    try:
        require_python(sys.version_info)
        if words in (["-h"], ["--help"]):
            print(__doc__.split("\n\n")[1])
            return 0
        if words[:1] == ["test"]:
            return run_tests(words[1:])
        if not words or words[0] == "--headless":
            return main_job(words[1:], headless=bool(words))
        make_environment()
        return hand_over([MONOGLOT, *words])
    except (Trouble, OSError) as fault:
        trouble = fault if isinstance(fault, Trouble) else explain_os_error(fault)
        say(f"error: {trouble.problem}\nhint: {trouble.hint}")
        return BAD_INPUT
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on from here.")
        return STOPPED


def main_job(words: list, headless: bool) -> int:
    """Run the built-in sample, in the window where there is one to be seen."""
    make_environment()
    screen = not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and not headless:
        require_qt("")
        return hand_over([MONOGLOT, "--sample"])
    return hand_over([MONOGLOT, "sample", *words])


def run_tests(words: list) -> int:
    """Run every check, pytest last so that its closing line is last; with words, pytest alone."""
    make_environment(test=True)
    require_qt("offscreen")
    failed = 0
    for check in () if words else CHECKS:  # quiet when they find nothing
        with step(check):
            status, output = capture([PYTHON, "-m", *check.split()], child_environment())
        if status:
            failed = OUR_FAULT
            say(f"{output}failed: {check}")
    environment = child_environment(QT_QPA_PLATFORM=os.environ.get("QT_QPA_PLATFORM", "offscreen"))
    return run_to_end([PYTHON, "-m", "pytest", *(words or SIDE_BY_SIDE)], environment, ROOT) or failed


# The environment


def make_environment(test: bool = False) -> None:
    """Make, finish or bring up to date the environment; nothing to do is the usual case."""
    if environment_state(test) == "ready":
        return
    with the_only_one() as lock:
        state = environment_state(test)  # again: another start may have made it meanwhile
        if state == "broken":
            create_environment(lock)
        if state != "ready":
            install(lock, test)


def environment_state(test: bool) -> str:
    """Tell whether the environment is ready, stale (pip mends it) or broken (absent, half made, another Python's).

    Only the stamp, written last, says that it is whole: without one nothing in the folder is trusted.
    """
    stamp = read_stamp()
    if not (stamp and os.path.exists(PYTHON) and os.path.exists(MONOGLOT)) or stamp["made for"] != MADE_FOR:
        return "broken"
    return "ready" if stamp["inputs"] == inputs() and (stamp["test"] or not test) else "stale"


def inputs() -> str:
    """Hash of what pip was told: the two files, and which rooms there are (an editable install lists them)."""
    rooms = [room for room in ("core", "gui", "resources") if os.path.exists(os.path.join(ROOT, room, "__init__.py"))]
    digest = hashlib.sha256(" ".join(rooms).encode())
    for name in ("pyproject.toml", os.path.join("packaging", "constraints.txt")):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read_stamp() -> dict:
    """Return the stamp, empty when there is none that can be read."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            stamp = json.load(file)
        return stamp if set(stamp) == {"made for", "inputs", "test"} else {}
    except (OSError, ValueError, TypeError):
        return {}


def create_environment(lock) -> None:
    """Empty the environment's folder (a link to another disk stays one) and put a new environment there."""
    require_venv()
    content = os.listdir(ENVIRONMENT) if os.path.isdir(ENVIRONMENT) else []
    if content and not {"pyvenv.cfg", os.path.basename(LOG)} & set(content):
        raise Trouble(f"{ENVIRONMENT} is no Python environment, and Monoglot keeps its own there.", "Move it away.")
    if content:
        say("Removing the unfinished or outdated environment in .venv")
    for name in content:
        path = os.path.join(ENVIRONMENT, name)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
    os.makedirs(ENVIRONMENT, exist_ok=True)
    free = shutil.disk_usage(ENVIRONMENT).free
    if free < NEEDED_BYTES:
        problem = f"The disk has {free / 1e9:.1f} GB free; the environment needs about {NEEDED_BYTES / 1e9:.0f} GB."
        raise Trouble(problem, MAKE_ROOM)
    python = getattr(sys, "_base_executable", None) or sys.executable  # not the one that was just removed
    with step("Making the environment in .venv"):
        status = run_logged([python, "-I", "-m", "venv", ENVIRONMENT], lock)
    if status:
        raise explain_log("Python could not make the environment.")


def install(lock, test: bool) -> None:
    """Have pip install Monoglot (editable) at the pinned versions, then write the stamp."""
    # On Linux the index's torch brings several gigabytes of CUDA libraries. Where there is no NVIDIA driver the CPU
    # build would do, but choosing another index is the user's: pip's own settings (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL,
    # pip.conf) are honoured, and a CPU build of the same version satisfies the pin.
    old = read_stamp()
    test = test or bool(old and old["test"])
    with contextlib.suppress(FileNotFoundError):
        os.remove(STAMP)  # from here on a killed pip leaves an environment that is not trusted
    pip = [PYTHON, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]
    wanted = ["-c", os.path.join("packaging", "constraints.txt"), "-e", ".[test]" if test else "."]
    with step(f"Installing the libraries (minutes the first time; log in .venv/{os.path.basename(LOG)})"):
        status = run_logged(pip + wanted, lock)
    if status:
        trouble = explain_log("pip could not install the libraries.")
        if old and trouble.problem == UNREACHABLE:
            with open(STAMP, "w", encoding="utf-8") as file:  # pip downloads before it changes anything: all is whole
                json.dump(old, file)
        raise trouble
    with open(STAMP, "w", encoding="utf-8") as file:
        json.dump({"made for": MADE_FOR, "inputs": inputs(), "test": test}, file)


def run_logged(command: list, lock) -> int:
    """Run a set-up command with its output in the log, and return its exit status.

    On POSIX the child inherits the lock: if this process is killed, no second start meddles before the child ends.
    """
    inherited = {"pass_fds": [lock.fileno()]} if os.name == "posix" else {}
    environment = child_environment(PIP_USER="0")
    with open(LOG, "wb") as log:
        output = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        return subprocess.call(command, cwd=ROOT, env=environment, **output, **inherited)


@contextlib.contextmanager
def the_only_one():
    """Hold the lock, after waiting for another start; the system frees it however its holder ends."""
    with open(LOCK, "w") as file:
        if not take(file):
            say("Another start is making the environment; waiting for it.")
            while not take(file):
                time.sleep(0.3)
        yield file


def take(file) -> bool:
    """Take the lock if it is free; a file system without locks is no reason to stop."""
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return fault.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


# What can be missing


def require_python(version) -> None:
    """Refuse a Python that is too old and say how to get another."""
    if tuple(version[:2]) >= OLDEST:
        return
    problem = f"Monoglot needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is Python {version[0]}.{version[1]}."
    hint = "Get it from python.org/downloads or with your system's package manager."
    if is_debian():
        hint = "Get it with  sudo apt install python3.11 python3.11-venv  (or a newer one that your release has)."
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):  # the name may be there and not start
            subprocess.check_output([name, "-c", ""], stderr=subprocess.STDOUT)
            hint = f"A newer one is here: start with  {name} launch.py"
            break
    raise Trouble(problem, hint)


def require_venv() -> None:
    """Refuse (as root on Debian: mend) a Python without the modules that make environments."""
    if all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        return
    problem = f"This Python cannot make environments (venv or ensurepip is missing): {sys.executable}"
    package = f"python{MADE_FOR[0]}-venv"
    if not (is_debian() and sys.base_prefix == "/usr"):
        raise Trouble(problem, "Install a whole Python, for example from python.org/downloads")
    if not is_debian(as_root=True):
        raise Trouble(problem, "sudo apt install " + package)
    apt_install(package)


def require_qt(platform: str) -> None:
    """See that Qt starts on a platform ("": the screen's own); missing system libraries are installed or named."""
    fault = qt_fault(platform)
    if fault and is_debian(as_root=True):
        apt_install(QT_PACKAGES)
        fault = qt_fault(platform)
    if fault:
        commands = [command for tool, command in QT_COMMANDS.items() if shutil.which(tool)]
        raise Trouble("Qt cannot start: " + fault, (commands or ["Install the system libraries that it names."])[0])


def qt_fault(platform: str) -> str:
    """Start Qt in the environment; return the last line of its complaint, empty when it starts."""
    environment = child_environment(**({"QT_QPA_PLATFORM": platform} if platform else {}))
    status, output = capture([PYTHON, "-I", "-c", QT_PROBE], environment)
    return (output.strip() or f"exit status {status}").splitlines()[-1] if status else ""


def is_debian(as_root: bool = False) -> bool:
    """Tell whether this is Debian or a relative, and one whose packages we may install unasked."""
    found = os.path.exists("/etc/debian_version") and shutil.which("apt-get") is not None
    return found and (not as_root or os.geteuid() == 0)


def apt_install(packages: str) -> None:
    """Install Debian packages and say so."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with step("Installing system packages: " + packages):
        capture(["apt-get", "update"], environment)  # if it fails, an older list may do
        install = ["apt-get", "install", "-y", "--no-install-recommends", *packages.split()]
        status, output = capture(install, environment)
    if status:
        last = "\n".join(output.splitlines()[-5:])
        raise Trouble("apt-get could not install them:\n" + last, "apt-get update && apt-get install " + packages)


def explain_log(problem: str) -> Trouble:
    """Turn a failed set-up command's output into words; what is not recognised is shown, its last lines."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    end = "\n".join(lines[-25:])  # not all of it: a connection that failed once may have worked the second time
    if NO_SPACE.search(end):
        return Trouble("The disk is full.", MAKE_ROOM)
    if NO_NETWORK.search(end):
        return Trouble(UNREACHABLE, "Connect and run again; what was downloaded is kept.")
    hint = f"The whole log is in {LOG}"
    if "No matching distribution found" in end:
        hint = "A 64-bit Python 3.11 to 3.14 on a current Linux, macOS (Apple silicon) or Windows has every library."
    return Trouble(problem + " Its last words:\n" + "\n".join(lines[-8:]), hint)


def explain_os_error(fault: OSError) -> Trouble:
    """Turn the system's refusal into words."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble("The disk is full.", MAKE_ROOM)
    if fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = f"Copy the folder {ROOT} to a place that is yours and start there; on Windows also close Monoglot."
        return Trouble(f"{fault.filename or ROOT} cannot be written.", hint)
    return Trouble(str(fault), f"See that {ROOT} is complete, remove {ENVIRONMENT} and start again.")


def hand_over(command: list) -> int:
    """Become the command, so that signals and its exit status are its own; Windows can only wait for it."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, child_environment())
    return run_to_end(command, child_environment(), None)


def run_to_end(command: list, environment: dict, folder) -> int:
    """Run a command and return its exit status; Ctrl-C reaches it as well, and it gets time to end by itself."""
    child = subprocess.Popen(command, env=environment, cwd=folder)
    try:
        status = child.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()
        raise
    return status if status >= 0 else 128 - status


def capture(command: list, environment: dict) -> tuple:
    """Run a command in the project's folder; return its exit status and all that it printed."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    result = subprocess.run(command, cwd=ROOT, env=environment, check=False, **quiet)
    return result.returncode, result.stdout.decode("utf-8", "replace")


def child_environment(**more) -> dict:
    """Return the environment variables without those that point a Python at another one's libraries."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    return dict(kept, **more)


@contextlib.contextmanager
def step(text: str):
    """Print one line for a long step: what, then how long."""
    start = time.monotonic()
    print(text, end=" ... ", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        say(f"{time.monotonic() - start:.1f} s")


def say(text: str) -> None:
    """Print to stderr, at once."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
