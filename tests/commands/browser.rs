//! `report.html` in a real browser, headless: `tests/report/browser.mjs` uses it by mouse and keyboard.

use crate::common::command::{ok, train, workplace};
use crate::common::repository;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The browser that `CHROMIUM` names, or the one `scripts/fetch_browser.sh` fetched.
fn browser() -> PathBuf {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return path.into();
    }
    let fetched = repository().join(".cache/chromium/chromium");
    assert!(fetched.is_file(), "no browser: run scripts/fetch_browser.sh, or set CHROMIUM to the path of one");
    fetched
}

#[test]
fn the_page_works_by_mouse_and_keyboard_on_a_desk_and_on_a_phone() {
    let browser = browser();
    let dir = workplace(600, 600);
    // One epoch, so that there are errors to show, more than fit on the gallery's first page.
    ok(&mut train(dir.path(), "--lr 0.001 --batch 50 --epochs 1 --out run"));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-browser");
    let said = ok(Command::new("node")
        .args(["--experimental-websocket", "--no-warnings"])
        .arg(repository().join("tests/report/browser.mjs"))
        .arg(dir.path().join("run/report.html"))
        .arg(&pictures)
        .env("CHROMIUM", browser));
    assert!(said.contains("checks hold"), "{said}");
    for name in ["desktop-light", "desktop-dark", "phone-light", "phone-dark"] {
        let size = std::fs::metadata(pictures.join(format!("{name}.png"))).map_or(0, |m| m.len());
        assert!(size > 10_000, "the screenshot {name} has {size} bytes");
    }
}
