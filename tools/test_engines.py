"""A given engine is used if it is one we know, and refused by both versions or by the missing file.

    test_engines.py PROJECT_ROOT DEPS_FOLDER

The fakes are libraries of a few lines that say what a real one of that version would say.
"""
import os
import subprocess
import sys
import tempfile

TOP, DEPS = sys.argv[1], sys.argv[2]
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(engines LANGUAGES C CXX)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
include(%s/cmake/engines.cmake)
"""
ORT_HEADER = """#define ORT_API_VERSION %d
typedef struct OrtApiBase {
    const void *(*GetApi)(unsigned);
    const char *(*GetVersionString)(void);
} OrtApiBase;
"""
ORT_LIBRARY = """#include <onnxruntime_c_api.h>
static const char *version(void) { return "%s"; }
static const OrtApiBase base = {0, version};
const OrtApiBase *OrtGetApiBase(void) { return &base; }
"""
LLAMA = {"llama": 'const char *llama_version(void) { return "%s"; }', "ggml": "int ggml_a;",
         "ggml-cpu": "int ggml_b;", "ggml-base": "int ggml_c;"}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def compile_shared(folder, name, text, *flags):
    source = write(os.path.join(folder, "src", name + ".c"), text)
    os.makedirs(os.path.join(folder, "lib"), exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,lib{name}.so", f"-I{folder}/include", source,
                    "-o", f"{folder}/lib/lib{name}.so", *flags], check=True)


def fake_ort(root, api, version):
    folder = os.path.join(root, f"ort-{api}-{version}")
    write(os.path.join(folder, "include", "onnxruntime_c_api.h"), ORT_HEADER % api)
    compile_shared(folder, "onnxruntime", ORT_LIBRARY % version)
    return folder


def fake_llama(root, version, text=None, without=()):
    folder = os.path.join(root, f"llama-{version}")
    write(os.path.join(folder, "include", "llama.h"), '#include "ggml.h"\nconst char *llama_version(void);\n')
    write(os.path.join(folder, "include", "ggml.h"), "\n")
    for name, source in LLAMA.items():
        if name not in without:
            source = text if text and name in text else source
            compile_shared(folder, name, source[name] if isinstance(source, dict) else
                           source.replace("%s", version))
    return folder


class Configure:
    """A project that only looks for engines; its compilers are found once."""

    def __init__(self, root):
        self.root, self.build = root, os.path.join(root, "build")
        write(os.path.join(root, "project", "CMakeLists.txt"), PROJECT % TOP)

    def __call__(self, engine, **directories):
        """(did it end well, what it said on one line)"""
        command = ["cmake", "-S", os.path.join(self.root, "project"), "-B", self.build,
                   f"-DHEARTH_DEPS_DIR={self.root}/no-deps", "-DHEARTH_ORT_DIR=", "-DHEARTH_LLAMA_DIR="]
        command += [f"-D{name}={'ON' if name == engine else 'OFF'}"
                    for name in ("HEARTH_ONNX", "HEARTH_GGUF")]
        command += [f"-D{name}={path}" for name, path in directories.items()]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode == 0, " ".join((done.stdout + done.stderr).split())


def says(told, *parts):
    good, text = told
    return not good and all(part in text for part in parts + ("remedy: ",))


def claims(root):
    configure = Configure(root)
    ort, llama = os.path.realpath(DEPS + "/onnxruntime"), os.path.realpath(DEPS + "/llama")
    if os.path.isdir(ort):
        told = configure("HEARTH_ONNX", HEARTH_ORT_DIR=ort)
        yield "a given ONNX Runtime is used", told[0] and f": {ort}/lib/libonnxruntime.so" in told[1], told
    else:
        yield "a given ONNX Runtime is used # SKIP this set-up has the one of the distribution", True, ""
    if os.path.isdir(llama):
        told = configure("HEARTH_GGUF", HEARTH_LLAMA_DIR=llama)
        yield "a given llama.cpp is used", told[0] and f"llama.cpp 0.5.0-dev: {llama}" in told[1], told
    else:
        yield "a given llama.cpp is used # SKIP this set-up has none", True, ""
    told = configure("HEARTH_ONNX", HEARTH_ORT_DIR=fake_ort(root, 18, "1.18.1"))
    yield "an old header is refused with both versions", says(
        told, "HEARTH_ORT_DIR", "ort-18", "API version 18", "wanted is 21 or later"), told
    told = configure("HEARTH_ONNX", HEARTH_ORT_DIR=fake_ort(root, 24, "1.21.0"))
    yield "a library older than its header is refused with both versions", says(
        told, "found is the library 1.21.0", "wanted is 1.24 or a later 1.x"), told
    told = configure("HEARTH_ONNX", HEARTH_ORT_DIR=fake_ort(root, 22, "2.0.0"))
    yield "another major version is refused", says(told, "found is the library 2.0.0", "1.22"), told
    told = configure("HEARTH_ONNX", HEARTH_ORT_DIR=fake_ort(root, 99, "1.99.0"))
    yield "a newer ONNX Runtime is used and told to be untested", told[0] and (
        "1.99.0 is newer than 1.32" in told[1]), told
    told = configure("HEARTH_ONNX", HEARTH_ORT_DIR=root + "/project")
    yield "a folder without the header is refused by its name", says(
        told, "there is no include/onnxruntime_c_api.h", root + "/project"), told
    told = configure("HEARTH_GGUF", HEARTH_LLAMA_DIR=fake_llama(root, "0.5.7"))
    yield "another patch of the known llama.cpp is used", told[0] and "llama.cpp 0.5.7" in told[1], told
    told = configure("HEARTH_GGUF", HEARTH_LLAMA_DIR=fake_llama(root, "0.6.0"))
    yield "another minor version of llama.cpp is refused with both", says(
        told, "HEARTH_LLAMA_DIR", "found is 0.6.0", "wanted is 0.5.x"), told
    told = configure("HEARTH_GGUF", HEARTH_LLAMA_DIR=fake_llama(root, "old", {"llama": "int llama_old;"}))
    yield "a llama.cpp that cannot say its version is refused", says(
        told, "without llama_version()", "wanted is 0.5.x"), told
    told = configure("HEARTH_GGUF", HEARTH_LLAMA_DIR=fake_llama(root, "0.5.1", without=("ggml-base",)))
    yield "a missing library is named", says(
        told, "llama-0.5.1", "there is no lib/libggml-base.so or .a"), told
    openmp = {"ggml-cpu": "void GOMP_parallel(void); void f(void) { GOMP_parallel(); }"}
    told = configure("HEARTH_GGUF", HEARTH_LLAMA_DIR=fake_llama(root, "0.5.2", openmp))
    yield "a llama.cpp with OpenMP is refused", says(told, "was built with OpenMP", "GGML_OPENMP=OFF"), told
    told = configure("HEARTH_GGUF")
    yield "no engine at all names the script that gets it", says(
        told, "there is no llama.cpp", "scripts/setup.sh"), told
    yield from scripts_pass_them_on(root)


def scripts_pass_them_on(root):
    """setup.sh with a cmake that only tells its arguments, and a preset that nobody has."""
    folder = os.path.join(root, "bin")
    path = write(os.path.join(folder, "cmake"), '#!/bin/sh\necho "cmake $*"\nexit 1\n')
    os.chmod(path, 0o755)
    write(os.path.join(folder, "python3"), "#!/bin/sh\nexit 0\n")
    given = {"HEARTH_ORT_DIR": "/given/ort", "HEARTH_LLAMA_DIR": "/given/llama"}
    done = subprocess.run(["bash", f"{TOP}/scripts/setup.sh", "--preset", "none-such", "--no-models"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", **given))
    yield "the scripts pass given engines on to CMake", done.returncode == 1 and all(
        f"-D{name}={path}" in done.stderr for name, path in given.items()), (False, done.stdout + done.stderr)


def main():
    failed = number = 0
    with tempfile.TemporaryDirectory() as root:
        for number, (claim, holds, told) in enumerate(claims(root), 1):
            failed += not holds
            print(f"{'ok' if holds else 'not ok'} {number} - {claim}", flush=True)
            if not holds:
                print("# " + told[1][-1500:].replace("\n", "\n# "))
    print(f"1..{number}")
    return 1 if failed else 0


sys.exit(main())
