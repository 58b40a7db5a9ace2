"""The test runner must not call a failure a success: each kind of bad end is planted and counted."""
import os
import subprocess
import sys
import tempfile

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run-tests")
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(planted NONE)
enable_testing()
function(planted name label script)
  add_test(NAME ${label}/${name} COMMAND sh -c "${script}")
  set_tests_properties(${label}/${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 1)
endfunction()
planted(good unit "printf '1..2\\\\nok 1 - a\\\\nok 2 - b\\\\n'")
planted(plain scenario "true")
planted(skip unit "printf '1..1\\\\nno kernel support\\\\nnot ok 1 # SKIP c\\\\n'")
planted(skip-all gates "echo '# SKIP no root' && exit 77")
"""
BAD = {
    "case-failed": "printf '1..2\\\\nok 1 - a\\\\nnot ok 2 - b\\\\n' && exit 1",
    "case-failed-exit-0": "printf '1..1\\\\nnot ok 1 - b\\\\n'",
    "exit-only": "printf '1..1\\\\nok 1 - a\\\\n' && exit 3",
    "died": "printf '1..1\\\\nok 1 - a\\\\n' && kill -SEGV $$",
    "too-few": "printf '1..3\\\\nok 1 - a\\\\n'",
    "slow": "exec sleep 30",
}


def run(root, *arguments):
    done = subprocess.run([RUNNER, "--jobs", "2"] + list(arguments), capture_output=True, text=True)
    lines = done.stdout.rstrip("\n").split("\n")
    return done.returncode, lines[-1], done.stdout + done.stderr


def build(root, extra=""):
    with open(os.path.join(root, "CMakeLists.txt"), "w", encoding="ascii") as out:
        out.write(PROJECT + extra)
    subprocess.run(["cmake", "-S", root, "-B", os.path.join(root, "b")], check=True, capture_output=True)
    return os.path.join(root, "b")


def claims():
    with tempfile.TemporaryDirectory() as root:
        folder = build(root)
        code, last, said = run(root, "--expect", "unit", folder)
        yield "a good run ends with 0 and counts single cases", (
            code == 0 and last == "3 passed, 0 failed, 2 skipped"), said
        yield "a skip is shown by name with its reason", (
            "unit/skip/c  — no kernel support" in said and "gates/skip-all  — no root" in said), said
        code, last, said = run(root, "--expect", "tsan", folder)
        yield "a suite that did not run is a failure", code == 1 and "1 failed" in last, said
        code, last, said = run(root, "--expect", "gates", folder)
        yield "a suite of skips only is a failure", code == 1 and "1 failed" in last, said
        code, last, said = run(root, "--expect", "tsan", folder, folder + ":-asan:unit", "--", "asan/good")
        yield "a name selects, and expects no suite", (
            code == 0 and last == "2 passed, 0 failed, 0 skipped"), said
        code, last, said = run(root, folder, "--", "nothing-like-it")
        yield "a name that selects nothing is a failure", code == 1, said
    for name, script in BAD.items():
        with tempfile.TemporaryDirectory() as root:
            folder = build(root, f'planted({name} bad "{script}")\n')
            code, last, said = run(root, folder)
            yield f"{name} is one failure", code == 1 and ", 1 failed," in last, said


def main():
    failed = number = 0
    for number, (claim, holds, said) in enumerate(claims(), 1):
        failed += not holds
        print(f"{'ok' if holds else 'not ok'} {number} - {claim}")
        if not holds:
            print("# " + said.replace("\n", "\n# "))
    print(f"1..{number}")
    return 1 if failed else 0


sys.exit(main())
