#!/usr/bin/env bash
# Fetches small real pictures into .cache/pictures of the repository, for tests/commands/sources.rs: the digits and the
# photographs that scikit-learn and scikit-image bring in their packages on PyPI. What is there already is kept; remove the
# folder to fetch anew.
set -euo pipefail

target="$(cd "$(dirname "$0")/.." && pwd)/.cache/pictures"
python="${PYTHON:-python3}"

if [ -f "$target/digits.csv.gz" ] && [ -f "$target/coffee.png" ]; then
    echo "pictures: $target is there"
    exit 0
fi
mkdir -p "$(dirname "$target")"
work="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$work"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" \
    'scikit-learn==1.*' 'scikit-image>=0.22,<1' || {
    echo "error: '$python -m pip' cannot fetch them. Mend the network, or set PYTHON to a Python that has pip." >&2
    exit 1
}
"$python" - "$work" <<'PYTHON'
import glob, os, sys, zipfile

work = sys.argv[1]
wanted = "sklearn/datasets/data/digits.csv.gz sklearn/datasets/images/china.jpg sklearn/datasets/images/flower.jpg"
wanted += "".join(f" skimage/data/{name}" for name in "astronaut.png chelsea.png coffee.png ihc.png retina.jpg rocket.jpg".split())
os.mkdir(f"{work}/pictures")
for wheel in glob.glob(f"{work}/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in set(wanted.split()) & set(archive.namelist()):
            with open(f"{work}/pictures/{os.path.basename(name)}", "wb") as file:
                file.write(archive.read(name))
missing = [name for name in wanted.split() if not os.path.exists(f"{work}/pictures/{os.path.basename(name)}")]
sys.exit(f"error: the packages lack {', '.join(missing)}" if missing else 0)
PYTHON
rm -rf "$target"
mv "$work/pictures" "$target"
echo "pictures: $target"
