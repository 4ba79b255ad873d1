"""Everything that ends or holds up a run, in one table: in whose words it is told, and the one thing to do about it.

Terminal, window, status.json and docs/failures.md all take their words from here. A new kind is a new row. No torch.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import Fault, InputError
from core.machine import is_out_of_memory
from core.wording import shortened

Action = Literal["resume", "settings", "report", "wait"]
"""What the next step is done with: going on with the run, its settings, the diagnostics, or nothing but time."""

_MOST_CHARACTERS = 300
"""Of what a library says of an error."""
_SPELT_OUT = re.compile(r"\(os error (\d+)\)$")
_WINDOWS_FULL = 112
_SOME_PATH = "A file or folder of the run"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: what happened and the next step, where the error itself has no better words."""

    name: str
    what_happened: str
    """May hold {path} and {reason}, of the error that tells of it."""
    next_step: str
    """May hold {again}: to resume a run, or to try again."""
    action: Action
    tells: Callable[[BaseException], bool] = lambda error: False
    """Whether an error that is no `InputError` says so."""
    causes: bool = False
    """Whether an `InputError` is of this kind, too, where such an error has led to it."""
    keys: tuple[str, ...] = ()
    """Beginnings of the recipe's keys that an `InputError` of this kind is about."""
    key: str = ""
    """The recipe's key that the next step is about, where it is always the same."""

    @property
    def generally(self) -> str:
        """What happened, where no error tells more."""
        return self.what_happened.format(path=_SOME_PATH, reason="it doesn't say why")

    def step(self, *, in_run: bool = True) -> str:
        """The next step, after a run or after something shorter."""
        return self.next_step.format(again="resume" if in_run else "try again")


@dataclass(frozen=True, slots=True)
class Failure:
    """What a person is told of one end of a run."""

    kind: str
    what_happened: str
    next_step: str
    action: Action
    key: str = ""
    """The recipe's key that the next step is about; empty where it is about none."""


def _numbered(*numbers: str) -> Callable[[BaseException], bool]:
    """Tells the system's errors by their names, of which each system has its own choice."""
    known = {getattr(errno, name) for name in numbers if hasattr(errno, name)}
    return lambda error: _number(error) in known


def _number(error: BaseException) -> int | None:
    """The system's number of an error; safetensors' and tokenizers' own are no OSErrors, but spell it out."""
    if isinstance(error, OSError):
        return error.errno
    found = _SPELT_OUT.search(str(error)) if isinstance(error, Exception) else None
    return int(found[1]) if found else None


def _named(*names: str) -> Callable[[BaseException], bool]:
    """Tells errors by the names of their classes: libraries aren't imported for this."""
    return lambda error: any(kind.__name__ in names for kind in type(error).__mro__)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk has no room."""
    return _numbered("ENOSPC", "EDQUOT")(error) or (os.name == "nt" and _number(error) == _WINDOWS_FULL)


def _is_gone(error: BaseException) -> bool:
    """A file that is missing alone may be a fault of ours; one whose folder is missing, too, hardly is."""
    path = error.filename if isinstance(error, FileNotFoundError) else None
    return isinstance(path, str) and not os.path.isdir(os.path.dirname(os.path.abspath(path)))


def _is_of_a_file(error: BaseException) -> bool:
    """Whether the system tells it of a file or folder, not of a connection."""
    return isinstance(error, OSError) and error.filename is not None


_is_disk_alone = _numbered("EIO", "ENXIO", "ENODEV", "ESTALE", "ENOTCONN", "EHOSTDOWN")
_is_network = _numbered(
    *("ETIMEDOUT", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET"),
    *("EHOSTUNREACH", "ENETDOWN", "ENETRESET", "ENETUNREACH"),
)


def _is_disk_fault(error: BaseException) -> bool:
    """A disk elsewhere in the network fails as the network does, but of a file."""
    return _is_disk_alone(error) or (_is_of_a_file(error) and _is_network(error))


def _is_offline(error: BaseException) -> bool:
    if isinstance(error, BrokenPipeError) or _is_of_a_file(error):  # whoever read our output is gone, or a disk is
        return False
    names = "ConnectionError", "TransportError", "Timeout", "TimeoutError", "gaierror", "LocalEntryNotFoundError"
    return _named(*names, "OfflineModeIsEnabled")(error) or (_status_code(error) or 0) >= 500


def _is_refused(error: BaseException) -> bool:
    names = "GatedRepoError", "RepositoryNotFoundError", "DatasetNotFoundError"
    return _named(*names)(error) or _status_code(error) in (401, 403, 404)


def _status_code(error: BaseException) -> int | None:
    """What a server answered; None where the error is of something else."""
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) else None


KINDS: tuple[Kind, ...] = (
    Kind(
        "disk_full",
        "The disk is full.",
        "Free some space and {again}: nothing finished is lost.",
        "resume",
        is_full,
        causes=True,
    ),
    Kind(
        "disk_nearly_full",
        "The disk is nearly full: the run is paused before it is.",
        "Free some space: the run goes on by itself.",
        "wait",
    ),
    Kind(
        "file_too_large",
        "The disk, or a limit of yours, takes no file as large as one that the run needs.",
        "Raise the limit, or move the run's folder to another kind of disk, then {again}: nothing finished is lost.",
        "resume",
        _numbered("EFBIG"),
        causes=True,
    ),
    Kind(
        "no_access",
        "{path} can't be read or written: {reason}.",
        "Give yourself the right to read and write it, then {again}.",
        "resume",
        _numbered("EACCES", "EPERM"),
        causes=True,
    ),
    Kind(
        "disk_read_only",
        "Nothing can be written to the disk: it is read-only, or the system made it so because it fails.",
        "See that the disk is healthy and make it writable, then {again}.",
        "resume",
        _numbered("EROFS"),
        causes=True,
    ),
    Kind(
        "disk_fault",
        "The disk can't be read or written: {reason}.",
        "See that the disk is connected and healthy, then {again}.",
        "resume",
        _is_disk_fault,
        causes=True,
    ),
    Kind(
        "folder_gone",
        "{path} is gone: its folder was moved or deleted, or its disk was taken out.",
        "Put it back, then {again}.",
        "resume",
        _is_gone,
    ),
    Kind(
        "out_of_memory",
        "The machine's memory is used up.",
        "Close other programs, then {again}.",
        "resume",
        is_out_of_memory,
        causes=True,
    ),
    Kind(
        "killed",
        "The run was cut off: its process was ended by somebody, or by the system because memory ran out.",
        "Close programs that take much memory, then resume.",
        "resume",
    ),
    Kind(
        "power_loss",
        "The run was cut off: the machine went down while it was going on.",
        "Resume it.",
        "resume",
    ),
    Kind(
        "no_network",
        "The hub can't be reached.",
        "Connect to the internet, then {again}.",
        "resume",
        _is_offline,
        causes=True,
    ),
    Kind(
        "hub_refuses",
        "The hub has nothing of this name, or it isn't open to you.",
        "Check the name and your access to it on huggingface.co; log in with: hf auth login",
        "settings",
        _is_refused,
        causes=True,
    ),
    Kind(
        "wrong_versions",
        "A library is missing or of another version than Monoglot needs: {reason}.",
        "Start Monoglot with python3 launch.py, which puts the right versions in place, then {again}.",
        "resume",
        _named("ImportError"),
    ),
    Kind(
        "damaged",
        "A file of the run is damaged: {reason}.",
        "Resume it: what is damaged is told by its checksum and made again.",
        "resume",
        _named("SafetensorError"),
    ),
    Kind(
        "diverged",
        "The loss is no number any more, or far above where it began: the stage went back to its last good point.",
        "Resume it: it goes on from there with half the learning rate.",
        "resume",
    ),
    Kind(
        "given_up",
        "The loss is no number any more, or far above where it began, and smaller learning rates didn't help.",
        "Start a new run with another schedule.learning_rate.",
        "settings",
        key="schedule.learning_rate",
    ),
    Kind(
        "data",
        "The texts or labelled data that the recipe names are gone or changed.",
        "Put them back as they were, then resume.",
        "resume",
        keys=("corpus.", "tasks"),
    ),
    Kind(
        "pickle_only",
        "The teacher has only pickled weights, which can carry code.",
        "Choose a teacher with weights in safetensors, or have them converted.",
        "settings",
        key="teacher.model",
    ),
    Kind(
        "teacher",
        "The teacher is gone or changed.",
        "Put it back as it was, then resume.",
        "resume",
        keys=("teacher.",),
    ),
    Kind(
        "busy",
        "Another process runs this run.",
        "Wait for it, or stop it first.",
        "wait",
    ),
    Kind(
        "stopped",
        "The run was stopped.",
        "Resume it.",
        "resume",
        lambda error: isinstance(error, KeyboardInterrupt) or _named("Stopped")(error),
    ),
    Kind(
        "input",
        "The recipe, or something that it names, can't be used as it is.",
        "Mend what is named, and start again.",
        "settings",
    ),
    Kind(
        "bug",
        "Something went wrong inside Monoglot; this is not your fault.",
        "Copy the diagnostics and report it with them; resuming may help.",
        "report",
    ),
)
"""Every kind, the most telling first: an error is of the first that fits."""
OF_THE_DISK = ("disk_full", "no_access", "disk_fault")
"""Kinds that are this machine's, whatever was being fetched."""
_BY_NAME = {kind.name: kind for kind in KINDS}
_GENERAL, _OWN = _BY_NAME["input"], _BY_NAME["bug"]


def failure_of(error: BaseException, *, in_run: bool = True) -> Failure:
    """What to tell of an error.

    Args:
        error: what ended a run or a command.
        in_run: whether there is a run to resume.
    """
    if isinstance(error, InputError):
        return failure_of_fault(error.faults[0], error)
    for kind in KINDS:
        found = next((cause for cause in _with_causes(error) if kind.tells(cause)), None)
        if found is not None:
            return _in_its_words(kind, found, in_run=in_run)
    return _in_its_words(_OWN, error, in_run=in_run)


def failure_of_fault(fault: Fault, error: BaseException | None = None) -> Failure:
    """What to tell of a fault of the input, in its own words.

    Args:
        fault: the fault.
        error: the error that held it; what led to that may say of which kind it is.
    """
    kind = _BY_NAME.get(fault.kind) or _kind_of(fault, error)
    return Failure(kind.name, fault.problem, fault.hint or kind.step(), kind.action, fault.key or kind.key)


def told(kind: str, what_happened: str | None = None, next_step: str | None = None) -> Failure:
    """A failure of a kind, as status.json tells of it; a kind that this version doesn't know can be resumed."""
    found = _BY_NAME.get(kind, replace(_GENERAL, name=kind, action="resume"))
    if found is _OWN:  # what stands in status.json is for those who look into it
        what_happened = next_step = None
    words = what_happened or found.generally, next_step or found.step()
    return Failure(found.name, *words, found.action, found.key)


def explained(error: BaseException, *, in_run: bool = True) -> InputError | None:
    """An error as one of the input, where the table has words for it; None: it is a fault of ours."""
    if isinstance(error, InputError):
        return error
    failure = failure_of(error, in_run=in_run)
    if failure.kind == _OWN.name:
        return None
    return InputError(failure.what_happened, hint=failure.next_step, kind=failure.kind)


def _kind_of(fault: Fault, error: BaseException | None) -> Kind:
    """By what raised it, what led to it, or the key that it is about."""
    for kind in KINDS:
        if error is not None and kind.tells(error):
            return kind
        if kind.causes and error is not None and any(map(kind.tells, _with_causes(error))):
            return kind
        if fault.key.startswith(kind.keys):
            return kind
    return _GENERAL


def _in_its_words(kind: Kind, error: BaseException, *, in_run: bool) -> Failure:
    path = getattr(error, "filename", None) or _SOME_PATH
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    reason = shortened(" ".join(str(reason).split()), _MOST_CHARACTERS).rstrip(".")
    what_happened = kind.what_happened.format(path=path, reason=reason)
    return Failure(kind.name, what_happened, kind.step(in_run=in_run), kind.action, kind.key)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__
