"""`python -m softgpu run [OPTION ...] [--] script.py [ARGUMENT ...]`, or `-m module`; `nvcc` and `kernel` as the command
softgpu has them."""
import os
import pathlib
import sys

USAGE = "usage: python -m softgpu run [OPTION ...] [--] script.py|-m MODULE [ARGUMENT ...], or nvcc ..., or kernel ..."


def main():
    program = str(pathlib.Path(__file__).parent / "bin" / "softgpu")
    os.chmod(program, 0o755)
    words = sys.argv[1:]
    if not words:
        sys.exit(USAGE)
    if words[0] == "run":
        # options come before the script, each that wants a value with it
        at = 1
        while at < len(words) and words[at].startswith("--") and words[at] != "--":
            at += 1 if "=" in words[at] or words[at] in ("--guard", "--help") else 2
        script = words[at:][1:] if words[at : at + 1] == ["--"] else words[at:]
        if script:
            words = [*words[:at], "--", sys.executable, *script]
    os.execv(program, [program, *words])


if __name__ == "__main__":
    main()
