"""What deps/fetch and scripts/setup.sh promise, shown without a network and without a change."""
import contextlib
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("fetch", os.path.join(TOP, "deps", "fetch"))
fetch = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch", LOADER))
LOADER.exec_module(fetch)


def cache_with(root, name=None, data=b""):
    cache = fetch.Cache(root)
    with cache.locked():
        pass
    if name:
        with open(cache.path("downloads", name), "wb") as out:
            out.write(data)
    return cache


def entry_of(data, name="a.whl"):
    return {"name": "a", "version": "1", "file": name, "sha256": hashlib.sha256(data).hexdigest()}


def fails(function, *arguments):
    try:
        function(*arguments)
    except fetch.Failure as failure:
        return failure
    return None


def lock_names_source_sha256_and_licence_of_everything(_):
    return all(entry[key] for entry in fetch.read_lock().values() for key in fetch.KEYS)


def lock_without_a_licence_is_refused(root):
    with open(fetch.LOCK_FILE, encoding="utf-8") as text:
        lines = [line for line in text if not line.startswith("licence")]
    path, kept = os.path.join(root, "lock"), fetch.LOCK_FILE
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(lines)
    try:
        fetch.LOCK_FILE = path
        return "lacks licence" in str(fails(fetch.read_lock))
    finally:
        fetch.LOCK_FILE = kept


def fetched_file_with_another_sha256_is_refused_and_not_kept(root):
    cache = cache_with(root)
    path = os.path.join(root, "a.whl")
    with open(path, "wb") as out:
        out.write(b"evil")
    failure = fails(cache.accept, entry_of(b"good"), path)
    return failure and "sha256" in str(failure) and not os.listdir(cache.path("downloads"))


def damaged_file_in_the_cache_is_not_used(root):
    cache = cache_with(root, "a.whl", b"gooe")
    with contextlib.redirect_stdout(io.StringIO()):
        return not cache.has(entry_of(b"good")) and not os.listdir(cache.path("downloads"))


def right_file_in_the_cache_is_not_fetched_again(root):
    cache = cache_with(root, "a.whl", b"good")
    fetch.fetch(cache, "/no/such/python", [dict(entry_of(b"good"), source="pypi-wheel")])
    return True


def lock_has_a_file_for_each_python_and_processor(_):
    names = {}
    for release, python in (("bookworm", (3, 11)), ("trixie", (3, 13))):
        for machine in ("x86_64", "aarch64"):
            entries = fetch.read_lock(release, python, machine)
            names[release, machine] = {entry["file"] for entry in entries.values()}
    return "libonnxruntime-dev_1.21.0+dfsg-1_arm64.deb" in names["bookworm", "aarch64"] and (
        not any("libonnxruntime" in name for name in names["trixie", "x86_64"])) and (
        any("onnxruntime-1.32.0-cp313" in name and "aarch64" in name for name in names["trixie", "aarch64"]))


def python_without_a_locked_file_is_refused_by_its_version(_):
    failure = fails(fetch.read_lock, "bookworm", (3, 12), "x86_64")
    return failure and "Python 3.12 on x86_64" in str(failure) and "Debian 12 or 13" in failure.remedy


def known_failures_have_their_own_remedy(root):
    log, said = os.path.join(root, "x.log"), {
        "cc1plus: out of memory allocating 9 bytes": "HEARTH_JOBS=1",
        "write: No space left on device": "HEARTH_CACHE",
        "Temporary failure in name resolution": "pip config",
        "CMake 3.28 or higher is required.": "CMake 3.25",
        "THESE PACKAGES DO NOT MATCH THE HASHES": "deps.lock"}
    told = [fails(fetch.run, ["sh", "-c", f"echo '{text}'; exit 1"], log, "x", "see the log").remedy
            for text in said]
    quiet = fails(fetch.run, ["false"], log, "x", "see the log")   # what failed before is not its reason
    return all(part in remedy for part, remedy in zip(said.values(), told)) and quiet.remedy == "see the log"


def engine_is_not_begun_without_room_for_it(root):
    fetch.ENGINE_SPACE_MIB["llama"] = 1 << 40
    failure = fails(fetch.require_space, fetch.Cache(root), "llama")
    return failure and "are needed" in str(failure) and "HEARTH_CACHE" in failure.remedy


def build_gguf(root, **programs):
    """build_gguf.sh with a search path that holds what it needs, and these programs instead."""
    for tool in ("bash", "sh", "dirname", "date", "cat", "sed", "grep", "head", "sort", "env", "gcc",
                 "g++", "cmake", "ninja"):
        if tool not in programs:
            os.symlink(subprocess.run(["which", tool], capture_output=True, text=True).stdout.strip(),
                       os.path.join(root, tool))
    for name, said in programs.items():
        if said:
            with open(os.path.join(root, name), "w", encoding="ascii") as out:
                out.write(f"#!/bin/sh\necho '{said}'\n")
            os.chmod(os.path.join(root, name), 0o755)
    script = os.path.join(TOP, "scripts", "build_gguf.sh")
    return subprocess.run(["bash", script], capture_output=True, text=True,
                          env={"PATH": root, "HOME": root}, stdin=subprocess.DEVNULL)


def gguf_without_a_compiler_names_the_package(root):
    run = build_gguf(root, gcc="")
    return run.returncode == 1 and "gcc is not installed" in run.stderr and "build-essential" in run.stderr


def gguf_with_an_old_cmake_names_both_versions(root):
    run = build_gguf(root, cmake="cmake version 3.18.4")
    return run.returncode == 1 and "cmake is 3.18.4, 3.25 or later is needed" in run.stderr


def failing_command_names_its_log_and_a_remedy(root):
    log = os.path.join(root, "logs", "x.log")
    failure = fails(fetch.run, ["sh", "-c", "echo the reason; exit 4"], log, "make x", "try y")
    with open(log, encoding="utf-8") as text:
        return "make x" in str(failure) and failure.log == log and failure.remedy == "try y" and (
            "the reason" in text.read())


def second_run_in_one_cache_waits_for_the_first(root):
    first, order = cache_with(root), []
    entered, said = threading.Event(), io.StringIO()

    def second():
        entered.set()
        with fetch.Cache(root).locked():
            order.append("second")

    with contextlib.redirect_stdout(said):
        with first.locked():
            thread = threading.Thread(target=second)
            thread.start()
            entered.wait(10)
            while "waiting" not in said.getvalue() and thread.is_alive():
                time.sleep(0.01)   # until it says that it waits; the assertion is the order
            order.append("first")
        thread.join(10)
    return order == ["first", "second"] and "waiting" in said.getvalue()


def leavings_of_a_killed_run_are_removed(root):
    cache = cache_with(root)
    os.makedirs(cache.path("tmp", "llama-build"))
    with cache.locked():
        return not os.listdir(cache.path("tmp"))


def engine_is_built_anew_when_lock_or_recipe_changes(root):
    cache, entries = fetch.Cache(root), fetch.read_lock()
    before = fetch.engine_folder(cache, entries, "llama")
    entries["llama-cpp-python"]["sha256"] = "0" * 64
    other_lock = fetch.engine_folder(cache, entries, "llama")
    fetch.LLAMA_OPTIONS.append("-DX=1")
    other_options = fetch.engine_folder(cache, entries, "llama")
    fetch.LLAMA_OPTIONS.pop()
    return len({before, other_lock, other_options}) == 3


def sdist_cannot_write_outside_of_its_folder(root):
    archive, target = os.path.join(root, "a.tar"), os.path.join(root, "out")
    with tarfile.open(archive, "w") as tar:
        for name, kind in (("a/v/good.c", tarfile.REGTYPE), ("a/v/../../evil.c", tarfile.REGTYPE),
                           ("a/v/link.c", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO(b""))
    fetch.unpack_sdist(archive, "v", target)
    return os.listdir(target) == ["good.c"] and sorted(os.listdir(root)) == ["a.tar", "out"]


def mirror_is_found_in_both_forms_of_apt_sources(root):
    folder = os.path.join(root, "sources.list.d")
    os.makedirs(folder)
    deb822 = os.path.join(folder, "debian.sources")
    with open(deb822, "w", encoding="ascii") as out:
        out.write("Types: deb\n# old\nURIs: http://one.example/debian-security\nSuites: bookworm-security\n"
                  "\nTypes: deb\nURIs: http://two.example/debian\nSuites: bookworm bookworm-updates\n")
    first = fetch.debian_mirror(root)
    os.unlink(deb822)
    with open(os.path.join(root, "sources.list"), "w", encoding="ascii") as out:
        out.write("# deb http://zero.example/debian bookworm main\n"
                  "deb [arch=amd64] http://three.example/debian bookworm main\n")
    second = fetch.debian_mirror(root)
    os.unlink(os.path.join(root, "sources.list"))
    return (first, second) == ("http://two.example/debian", "http://three.example/debian") and (
        "mirror" in str(fails(fetch.debian_mirror, root)))


def setup(*arguments, path=None):
    environment = dict(os.environ, **({"PATH": path} if path else {}))
    return subprocess.run(["bash", os.path.join(TOP, "scripts", "setup.sh")] + list(arguments),
                          capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)


def setup_refuses_an_unknown_option(_):
    run = setup("--chekc")
    return run.returncode == 2 and "--chekc" in run.stderr


def setup_check_prints_versions_and_changes_nothing(root):
    kept = os.environ.pop("HEARTH_CACHE", None)
    os.environ["HEARTH_CACHE"] = os.path.join(root, "cache")
    run = setup("--check")
    del os.environ["HEARTH_CACHE"]
    if kept:
        os.environ["HEARTH_CACHE"] = kept
    return run.returncode == 1 and "cmake" in run.stdout and "MISSING" in run.stdout and not os.listdir(root)


def setup_without_root_prints_the_one_line_to_run(root):
    for name, body in (("id", "echo 1000"), ("dpkg-query", "exit 1")):
        with open(os.path.join(root, name), "w", encoding="ascii") as out:
            out.write(f"#!/bin/sh\n{body}\n")
        os.chmod(os.path.join(root, name), 0o755)
    for tool in ("bash", "sh", "uname", "dirname", "date", "tr", "grep", "cat", "tail", "sed", "basename"):
        found = subprocess.run(["which", tool], capture_output=True, text=True).stdout.strip()
        os.symlink(found, os.path.join(root, tool))   # and no sudo
    run = setup(path=root)
    return run.returncode == 1 and "remedy: run this as root" in run.stderr and (
        "apt-get install -y --no-install-recommends build-essential cmake" in run.stderr)


def failing_step_shows_its_log_and_the_remedy(root):
    script = (f". {TOP}/scripts/progress.sh; set -euo pipefail; LOGS={root}; STEP=1 STEPS=2;"
              " quietly build 'do this' sh -c 'echo the reason; exit 4'; echo went on")
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    return run.returncode == 1 and "went on" not in run.stdout and all(text in run.stderr for text in (
        "step 1 of 2 failed: build", "| the reason", f"log: {root}/build.log", "remedy: do this"))


def every_script_is_listed_with_its_readme(_):
    folder = os.path.join(TOP, "scripts")
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
        listed = file.read()
    scripts = [name for name in os.listdir(folder) if name.endswith((".sh", ".py"))]
    return len(scripts) > 4 and all(f"`{name}`" in listed for name in scripts)


def every_script_that_people_run_has_help(_):
    parts = {"progress.sh"}     # of other scripts, not run by hand
    scripts = [name for name in os.listdir(os.path.join(TOP, "scripts"))
               if name.endswith(".sh") and name not in parts]
    runs = [subprocess.run(["bash", os.path.join(TOP, "scripts", name), "--help"], text=True,
                           capture_output=True, stdin=subprocess.DEVNULL) for name in scripts]
    return all(run.returncode == 0 and "usage" in run.stdout.lower() for run in runs)


def setup_refuses_another_platform_by_name(root):
    """Other releases in a mount namespace, other processors and systems by a uname that says so."""
    release = os.path.join(root, "os-release")
    with open(release, "w", encoding="ascii") as out:
        out.write('PRETTY_NAME="Other Linux 9"\nID=other\nVERSION_ID="9"\n')
    for system, machine, way in (("Linux", "aarch64", "--arm64"), ("Darwin", "arm64", "virtual machine"),
                                 ("MINGW64_NT-10.0", "x86_64", "WSL 2")):
        with open(os.path.join(root, "uname"), "w", encoding="ascii") as out:
            out.write(f'#!/bin/sh\n[ "$1" = -m ] && echo {machine} || echo {system}\n')
        os.chmod(os.path.join(root, "uname"), 0o755)
        run = setup(path=f"{root}:{os.environ['PATH']}")
        if run.returncode != 1 or f"{system} {machine}" not in run.stderr or way not in run.stderr:
            return False
    mount = f"mount --bind {release} /usr/lib/os-release"
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True)
    if probe.returncode != 0:
        return "SKIP no user and mount namespace here"
    run = subprocess.run(["unshare", "-rm", "sh", "-c", f"{mount} && exec bash {TOP}/scripts/setup.sh"],
                         capture_output=True, text=True)
    return run.returncode == 1 and "Other Linux 9" in run.stderr and "Debian 12" in run.stderr


def main():
    claims = [value for name, value in globals().items() if callable(value) and name not in (
        "main", "setup", "build_gguf", "fails", "entry_of", "cache_with") and not name.startswith("_")
        and getattr(value, "__module__", "") == __name__]
    print(f"1..{len(claims)}")
    failed = 0
    for number, claim in enumerate(claims, 1):
        with tempfile.TemporaryDirectory() as root:
            holds = claim(root)
        failed += not holds
        skip = f" # {holds}" if isinstance(holds, str) else ""
        print(f"{'ok' if holds else 'not ok'} {number} - {claim.__name__}{skip}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
