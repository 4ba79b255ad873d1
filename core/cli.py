"""The headless commands: `monoglot WORD …`."""

from __future__ import annotations

try:
    import argparse
    import contextlib
    import errno
    import os
    import sys
    import time
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TYPE_CHECKING, Any, NoReturn

    from core.errors import InputError, Stopped, is_panic
    from core.failures import explained
    from core.fault_log import log_own_fault
    from core.machine import share_cores
    from core.telling import agreed, answer, complain, note, open_streams, refuse, resuming, tell, tell_what_is_safe
    from core.terminal import forget
    from core.wording import clean, clean_path, shortened
except KeyboardInterrupt:  # they take a moment, and nobody expects a traceback of Ctrl-C
    raise SystemExit(130) from None

if TYPE_CHECKING:
    from core.run import RunFolder

DONE, OUR_FAULT, BAD_INPUT, STOPPED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None, window: Callable[[bool], int] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: what follows the program's name; None: what the process was given.
        window: opens the window, with the sample's run started or not, and gives the exit status; called where no
            command is named. It is handed in, as nothing here may know of the window.
    """
    try:
        open_streams()
        share_cores()
        return _main(arguments, window)
    except KeyboardInterrupt:  # also while something is told
        return STOPPED


def _main(arguments: Sequence[str] | None, window: Callable[[bool], int] | None) -> int:
    parser = _parser()
    options = argparse.Namespace()
    try:
        parser.parse_args(arguments, options)
        if options.command is not None:
            options.command(options)
        elif window is not None:
            return window(options.sample)
        else:
            parser.print_help()
    except InputError as error:
        refuse(error, options)
        return BAD_INPUT
    except Stopped:
        return STOPPED
    except BrokenPipeError:
        forget(sys.stdout)
    except BaseException as error:
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        fault = log_own_fault(getattr(options, "out", None))
        known = explained(error, in_run=False)
        if known is not None:
            refuse(known, options)
            return BAD_INPUT
        complain(fault.problem, fault.hint)
        tell_what_is_safe(options)
        return OUR_FAULT
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="monoglot",
        description="Makes a small model of one language out of a multilingual one. Without a command: in a window.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    parser.add_argument("--sample", action="store_true", help="open the window and start the built-in sample in it")
    parser.set_defaults(command=None)
    words = parser.add_subparsers(title="commands", metavar="COMMAND")

    def word(name: str, command: Callable[[argparse.Namespace], None], text: str, *, as_json: bool = True) -> Any:
        added = words.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.set_defaults(command=command)
        if as_json:
            added.add_argument("--json", action="store_true", help="print one JSON object; all else goes to stderr")
        return added

    run = word("run", _run, "compress a teacher as a recipe says")
    run.add_argument("recipe", type=_path, nargs="?", metavar="RECIPE", help="can be left out with --resume")
    run.add_argument("--out", type=_path, metavar="FOLDER", help="the run's folder, new or empty")
    run.add_argument("--resume", action="store_true", help="go on with the run in the folder given with --out")
    estimate = word("estimate", _estimate, "say how large the student will be and how long it takes, without a run")
    estimate.add_argument("recipe", type=_path, metavar="RECIPE")
    estimate.add_argument("--count", action="store_true", help="tokenise the corpus: exact to the last parameter")
    estimate.add_argument("--measure", action="store_true", help="try a few steps first, to say how long a run takes")
    evaluate = word("evaluate", _evaluate, "measure a model on a recipe's text and tasks")
    evaluate.add_argument("model", metavar="MODEL", help="a model folder or a hub name")
    evaluate.add_argument("--recipe", type=_path, required=True, metavar="RECIPE")
    trim = word("trim", _trim, "cut a model's vocabulary to one language, nothing else")
    trim.add_argument("model", metavar="MODEL", help="a model folder or a hub name")
    trim.add_argument("--corpus", nargs="+", required=True, metavar="FILE", help="text of the language")
    trim.add_argument("--size", type=int, metavar="N", help="tokens to keep, special ones and alphabet included")
    trim.add_argument(
        "--coverage", type=float, metavar="SHARE", help="instead: keep as many as cover it, such as 0.999"
    )
    trim.add_argument("--multiple", type=int, default=1, metavar="N", help="round the size up to a multiple, such as 8")
    trim.add_argument("--frequency", choices=("document", "token"), default="document", help="what goes first")
    trim.add_argument("--words", type=_path, metavar="FILE", help="words, one a line, whose tokens are always kept")
    trim.add_argument("--out", type=_path, required=True, metavar="FOLDER", help="a new or empty folder")
    convert = word("convert", _convert, "write a model's pickled weights as safetensors, tensors only")
    convert.add_argument("model", metavar="MODEL", help="a model folder or a hub name")
    convert.add_argument("--from-pickle", action="store_true", help="agree to read pickled weights without being asked")
    convert.add_argument("--out", type=_path, required=True, metavar="FOLDER", help="a new or empty folder")
    corpus = word("corpus", _corpus, "show what a run would make of files of text")
    corpus.add_argument("files", nargs="+", metavar="FILE", help="files, folders, patterns or data sets on the hub")
    teachers = word("teachers", _teachers, "show how the teachers on this machine take to a text")
    teachers.add_argument(
        "models", nargs="*", metavar="MODEL", help="model folders or hub names; else all that are known"
    )
    teachers.add_argument("--corpus", nargs="+", required=True, metavar="FILE", help="text of the language")
    teachers.add_argument("--language", required=True, metavar="CODE", help="ISO 639-3, such as mlt")
    export = word("export", _export, "copy a finished run's student out of the run", as_json=False)
    export.add_argument("run", type=_path, metavar="RUN")
    export.add_argument("--format", choices=("hf",), required=True, help="hf: a folder that transformers load")
    export.add_argument("--out", type=_path, required=True, metavar="FOLDER", help="a new or empty folder")
    report = word("report", _report, "write a run's report anew", as_json=False)
    report.add_argument("run", type=_path, metavar="RUN")
    compare = word("compare", _compare, "put finished runs side by side")
    compare.add_argument("runs", type=_path, nargs="+", metavar="RUN")
    compare.add_argument("--out", type=_path, metavar="PAGE.html", help="also write it as a page, with plots")
    sample = word("sample", _sample, "run the built-in sample from end to end")
    sample.add_argument("--out", type=_path, metavar="FOLDER", help="the run's folder, new or empty")
    sample.add_argument("--tiny", action="store_true", help="a few steps a stage and one task, to see that it works")
    sample.set_defaults(resume=False)
    return parser


def _path(text: str) -> Path:
    """A path that the system takes."""
    try:
        os.lstat(text)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"The name {shortened(text, 80)} is too long.", hint="Choose a shorter one.") from error
    return Path(text)


class _Parser(argparse.ArgumentParser):
    """Faults in the way that every other fault is told."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}.", hint=f"See: {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        answer(self.format_help().rstrip())


class _Version(argparse.Action):
    """Asks for the version in place of a command; it is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any) -> None:
        namespace.command = _version


def _version(options: argparse.Namespace) -> None:
    from core.export.versions import monoglot_version

    answer(f"monoglot {monoglot_version()}")


# -- commands --------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> None:
    from core import recipe as recipes
    from core.run import RunFolder

    if options.resume and options.out is None:
        raise InputError("--resume doesn't say which run.", hint="Give the run's folder with --out.")
    if options.recipe is None and not options.resume:
        raise InputError("There is no recipe.", hint="Write: monoglot run RECIPE, or --resume --out FOLDER.")
    if options.recipe is None:
        folder = RunFolder(options.out)
        _go(folder, folder.given_recipe(), options.out, options)
    else:
        original = recipes.read(options.recipe)
        folder = RunFolder(options.out or _new_folder(recipes.parse(original, str(options.recipe)).name))
        _go(folder, original, options.recipe.absolute().parent, options)


def _sample(options: argparse.Namespace) -> None:
    import resources
    from core import recipe as recipes
    from core.run import RunFolder

    base = Path(resources.__file__).parent / "sample"
    original = recipes.read(base / ("recipe-tiny.toml" if options.tiny else "recipe.toml"))
    _go(RunFolder(options.out or _new_folder("sample")), original, base, options)


def _go(folder: RunFolder, original: str, base: Path, options: argparse.Namespace) -> None:
    """Run or resume; the last line on stdout is the folder."""
    from core import session
    from core.terminal import follower, summary

    options.out = folder.path.absolute()  # for the log of a fault of ours
    listen = follower(sys.stderr)
    try:
        results = session.execute(folder, original=original, base=base, resume=options.resume, listen=listen)
    except Stopped:
        listen.close()
        note(f"Stopped; nothing that was finished is lost. To go on: {resuming(options.out)}")
        raise
    finally:
        listen.close()
    tell(options, {**results, "run": str(options.out)}, lambda: f"{summary(results)}\n\n{clean_path(options.out)}")


def _estimate(options: argparse.Namespace) -> None:
    from core import recipe as recipes
    from core.analysis.preview import preview
    from core.known_speed import distils, known_prediction
    from core.teachers import teacher_config
    from core.terminal import estimate_text

    recipe, base = recipes.load(options.recipe), options.recipe.absolute().parent
    with _following("count") as ctx:
        sizes = preview(recipe, base, ctx, count=options.count)
    if options.measure:
        from core.calibration import calibrate

        with _following("measure") as ctx:
            calibrate(recipe, base, sizes, ctx)
    config = teacher_config(recipe.teacher.model, base)
    known = known_prediction(recipe, base, config, sizes)
    found = {**sizes.to_json(), **(known.to_json() if known is not None else {})}
    exact = known.exact if known is not None else not distils(recipe, config, sizes)
    tell(options, found, lambda: estimate_text(found, exact=exact))


def _evaluate(options: argparse.Namespace) -> None:
    from core import recipe as recipes
    from core.command_text import evaluation_text
    from core.sources import model_folder

    recipe = recipes.load(options.recipe)
    with _following("evaluate") as ctx:
        model = model_folder(options.model, Path.cwd())
        from core.evaluation import evaluate_model  # brings torch: only once the input can be used

        found = evaluate_model(model, recipe, options.recipe.absolute().parent, ctx)
    tell(options, found, lambda: evaluation_text(found))


def _trim(options: argparse.Namespace) -> None:
    from core.command_text import trim_text
    from core.recipe import Corpus
    from core.sources import model_folder
    from core.trim import trim_folder, wanted

    keep = wanted(options.size, options.coverage, options.multiple, options.frequency)
    corpus = Corpus(sources=tuple(options.corpus), limit=0)
    with _following("trim") as ctx:
        model = model_folder(options.model, Path.cwd())
        found = trim_folder(model, corpus, Path.cwd(), keep, options.words, options.out, ctx)
    tell(options, found, lambda: trim_text(found, options.out))


def _convert(options: argparse.Namespace) -> None:
    from core.command_text import conversion_text
    from core.sources import pickled_folder

    if not options.from_pickle and not agreed(
        f"The weights of {clean(options.model)} are in a pickle, a kind of file that can carry code. Only tensors are "
        "taken from it, and nothing in it is run; a file with anything else than tensors is refused. Convert it?"
    ):
        raise InputError(
            "Pickled weights are only read when you agree to it.",
            hint="Add --from-pickle to agree, if you trust the model.",
        )
    with _following("convert") as ctx:
        model = pickled_folder(options.model, Path.cwd())
        from core.conversion import convert_folder  # brings torch

        found = convert_folder(model, options.out, ctx)
    found["folder"] = str(options.out.absolute())
    tell(options, found, lambda: conversion_text(found))


def _corpus(options: argparse.Namespace) -> None:
    from core.command_text import corpus_text
    from core.corpus.survey import survey

    with _following("corpus") as ctx:
        found = survey(options.files, Path.cwd(), ctx)
    tell(options, found.to_json(), lambda: corpus_text(found.to_json()))
    if found.too_few:
        raise InputError(
            f"A run would refuse the corpus: it would keep only {found.kept} texts of it.",
            hint="Add more texts, or see above why they are dropped.",
        )


def _teachers(options: argparse.Namespace) -> None:
    from core.teacher_finder import find_teachers
    from core.terminal import teachers_text

    with _following("teachers") as ctx:
        found = find_teachers(options.corpus, Path.cwd(), options.language, options.models, ctx)
    tell(options, found.to_json(), lambda: teachers_text(found))


def _export(options: argparse.Namespace) -> None:
    from core.export.huggingface import export_student
    from core.run import RunFolder

    with _following("export") as ctx:
        export_student(RunFolder(options.run), options.out, ctx)
    answer(clean_path(options.out.absolute()))


def _report(options: argparse.Namespace) -> None:
    from core.export.report import write_report
    from core.run import RunFolder

    answer(clean_path(write_report(RunFolder(options.run)).absolute()))


def _compare(options: argparse.Namespace) -> None:
    from core.analysis.compare import compare
    from core.export.comparison_text import comparison_text
    from core.run import RunFolder

    found = compare([RunFolder(run) for run in options.runs])
    if options.out is not None:
        from core.export.comparison_page import write_comparison

        write_comparison(found, options.out)
    tell(options, found.to_json(), lambda: comparison_text(found))


# -- talking ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _following(what: str) -> Iterator[Any]:
    """A context whose progress is shown on stderr; being terminated clears what is half made."""
    from core.ending import ending_as_interrupted
    from core.terminal import TerminalContext, follower

    listen = follower(sys.stderr)
    try:
        with ending_as_interrupted():
            yield TerminalContext(listen, what)
    finally:
        listen.close()


def _new_folder(name: str) -> Path:
    """A run's folder where the user names none."""
    import appdirs

    return Path(appdirs.user_data_dir("monoglot", False)) / "runs" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


if __name__ == "__main__":
    sys.exit(main())
