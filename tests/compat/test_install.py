#!/usr/bin/env python3
"""An installation serves programs that know nothing of this tree, and can be taken away.

    test_install.py BUILD_FOLDER PROJECT_ROOT
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD, ROOT = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
from daemon import Skipped, must, run_tests      # noqa: E402

NOTES = ("install_manifest.txt", "install_folders.txt")
# Valid as C99 and as C++17: asks the echo engine, whose answers are known in advance.
PROGRAM = r"""
#include <hearth/hearth.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    static const char *const texts[] = {"red is the first word"};
    hearth_error err;
    hearth_client *client;
    hearth_result *result;
    hearth_request_params params = hearth_request_params_default();
    int is_right;
    params.model = "classifier";
    if (hearth_connect(NULL, &client, &err) < 0 ||
        hearth_classify(client, texts, 1, &params, &result, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    is_right = hearth_result_count(result) == 1 && hearth_result_item(result, 0)->label_count == 3;
    printf("%s: %u labels\n", hearth_client_server(client),
           (unsigned)hearth_result_item(result, 0)->label_count);
    hearth_result_free(result);
    hearth_disconnect(client);
    return is_right ? 0 : 1;
}
"""
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C CXX)
find_package(Hearth 0.1 REQUIRED)
add_executable(by-cmake-c program.c)
set_target_properties(by-cmake-c PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
add_executable(by-cmake-cxx program.cc)
set_target_properties(by-cmake-cxx PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS OFF)
target_link_libraries(by-cmake-c PRIVATE Hearth::hearth)
target_link_libraries(by-cmake-cxx PRIVATE Hearth::hearth)
"""


def run(*command, **environment):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **environment))
    must(done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n"
         + done.stdout[-1500:] + done.stderr[-1500:])
    return done.stdout


@contextlib.contextmanager
def installation(destdir=False):
    """An installation below a new folder; what the build folder noted of an earlier one is kept."""
    with tempfile.TemporaryDirectory(prefix="hearth-install-") as folder:
        kept = [(BUILD / name, (BUILD / name).read_bytes()) for name in NOTES if (BUILD / name).exists()]
        for path, _ in kept:
            path.unlink()
        try:
            prefix = "/opt/hearth" if destdir else f"{folder}/prefix"
            environment = {"DESTDIR": folder} if destdir else {}
            run("cmake", "--install", BUILD, "--prefix", prefix, **environment)
            yield Path(folder), Path(folder) / prefix.lstrip("/") if destdir else Path(prefix)
        finally:
            for name in NOTES:
                (BUILD / name).unlink(missing_ok=True)
            for path, data in kept:
                path.write_bytes(data)


def uninstall(**environment):
    run("cmake", "--build", BUILD, "--target", "uninstall", **environment)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def ask(prefix, program):
    """Runs a program beside a daemon from the installation, which finds its workers by itself."""
    return run(prefix / "bin/hearth", "run", "--models", ROOT / "fixtures/models/echo", "--preload",
               "classifier", "--", program, LD_LIBRARY_PATH=str(prefix / "lib"))


def write_program(folder):
    for name in ("program.c", "program.cc"):
        (folder / name).write_text(PROGRAM)


def programs_found_through_pkg_config_run_against_the_installed_daemon():
    with installation() as (folder, prefix):
        write_program(folder)
        flags = run("pkg-config", "--cflags", "--libs", "hearth",
                    PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig")).split()
        must(f"-I{prefix}/lib" in " ".join(flags) or "-lhearth" in flags, f"flags {flags}")
        strict = ("-Wall", "-Wextra", "-Werror", "-pedantic-errors")
        for compiler, standard, source in (("cc", "c99", "program.c"), ("c++", "c++17", "program.cc")):
            run(compiler, f"-std={standard}", *strict, folder / source, "-o", folder / compiler, *flags)
            must("hearthd" in ask(prefix, folder / compiler), f"{compiler}: no answer")


def programs_found_through_find_package_run_against_the_installed_daemon():
    with installation() as (folder, prefix):
        write_program(folder)
        (folder / "CMakeLists.txt").write_text(PROJECT)
        run("cmake", "-S", folder, "-B", folder / "b", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
        run("cmake", "--build", folder / "b")
        for program in ("by-cmake-c", "by-cmake-cxx"):
            must("hearthd" in ask(prefix, folder / "b" / program), f"{program}: no answer")


def an_installed_engine_finds_its_library_after_the_prefix_has_moved():
    if not (BUILD / "bin/hearth-worker-onnx").exists():
        raise Skipped("built without ONNX")
    with installation() as (folder, prefix):
        moved = folder / "elsewhere"
        prefix.rename(moved)
        answer = run(moved / "bin/hearth", "run", "--models", ROOT / "fixtures/models/onnx", "--preload",
                     "tinybert-classifier", "--", moved / "bin/hearth", "classify", "play some jazz")
        must(answer.strip(), "no answer")


def no_program_looks_for_libraries_where_one_happens_to_stand():
    with installation() as (_, prefix):
        programs = [*(BUILD / "bin").glob("hearth*"), *prefix.glob("bin/*"), *prefix.glob("libexec/hearth/*")]
        must(len(programs) > 5, f"only {programs}")
        for program in programs:
            for path in re.findall(r"R(?:UN)?PATH\s+(.*)", run("objdump", "-p", program)):
                lawful = all(part.startswith(("/", "$ORIGIN/")) for part in path.split(":"))
                must(lawful, f"{program}: {path}")


def uninstall_leaves_nothing_behind():
    for destdir in (False, True):
        with installation(destdir) as (folder, prefix):
            must((prefix / "bin/hearthd").exists(), f"not installed: {files(folder)}")
            uninstall(**({"DESTDIR": str(folder)} if destdir else {}))
            must(files(folder) == [], f"left behind (DESTDIR: {destdir}): {files(folder)}")


def a_configuration_that_was_changed_survives_both():
    with installation() as (folder, prefix):
        config = prefix / "etc/hearth/hearthd.conf"
        must(config.read_bytes() == (ROOT / "deploy/hearthd.conf").read_bytes(), "not the default one")
        config.write_text("[daemon]\n")
        run("cmake", "--install", BUILD, "--prefix", prefix)
        must(config.read_text() == "[daemon]\n", "a second installation overwrote it")
        uninstall()
        must(files(folder) == ["prefix", "prefix/etc", "prefix/etc/hearth",
                               "prefix/etc/hearth/hearthd.conf"], f"left: {files(folder)}")


def an_installed_hearth_pull_finds_its_catalogue():
    if not (BUILD / "bin/hearth-pull").exists():
        raise Skipped("built without hearth-pull")
    with installation() as (folder, prefix):
        moved = folder / "elsewhere"
        prefix.rename(moved)
        must("minilm-embedder" in run(moved / "bin/hearth", "pull", "--list"), "it lists nothing")


def units_name_the_programs_where_they_are():
    if not list((ROOT / "deploy").glob("*.service")):
        raise Skipped("there are no units in deploy/")
    with installation() as (_, prefix):
        for unit in (prefix / "lib/systemd").glob("*/*.service"):
            starts = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
            must(starts, f"{unit.name} starts nothing")
            for line in starts:
                words = line.removeprefix("ExecStart=").split()
                must(words[0] == str(prefix / "bin/hearthd"), f"{unit.name} starts {words[0]}")
                named = [word for word in words if word.endswith("hearthd.conf")]
                must(all(Path(word).exists() or "%" in word for word in named), f"{unit.name}: {named}")
        installed = {unit.name for unit in (prefix / "lib/systemd").glob("*/*")}
        ours = {unit.name for unit in (ROOT / "deploy").rglob("*") if unit.suffix in (".service", ".socket")}
        must(installed == ours, f"installed {installed}, deploy/ holds {ours}")


if __name__ == "__main__":
    must(shutil.which("pkg-config"), "pkg-config is not installed")
    sys.exit(run_tests([programs_found_through_pkg_config_run_against_the_installed_daemon,
                        programs_found_through_find_package_run_against_the_installed_daemon,
                        an_installed_engine_finds_its_library_after_the_prefix_has_moved,
                        no_program_looks_for_libraries_where_one_happens_to_stand,
                        uninstall_leaves_nothing_behind, a_configuration_that_was_changed_survives_both,
                        an_installed_hearth_pull_finds_its_catalogue,
                        units_name_the_programs_where_they_are]))
