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
    // Names as people give them, longer than a card has room for too.
    let names = "0\n1\na cat & its kittens\nastronaut\nAcanthopterygii-Perciformes\n5\n6\n7\n8\n9\n10\n11\n";
    std::fs::write(dir.path().join("set/classes.txt"), names).unwrap();
    // So few steps that there are errors to show, more than fit on the gallery's first page.
    ok(&mut train(dir.path(), "--lr 0.0003 --batch 50 --epochs 2 --limit 300 --out run"));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-browser");
    let said = ok(Command::new("node")
        .args(["--experimental-websocket", "--no-warnings"])
        .arg(repository().join("tests/report/browser.mjs"))
        .arg(dir.path().join("run/report.html"))
        .arg(&pictures)
        .env("CHROMIUM", browser));
    assert!(said.contains("checks hold"), "{said}");
    let papers = ["a4", "a4-plain", "letter", "letter-plain"].map(|name| pictures.join(format!("{name}.pdf")));
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let pdfium = repository().join(".cache/pdfium");
    assert!(pdfium.is_dir(), "no PDFium: run scripts/fetch_python.sh");
    ok(Command::new(python)
        .arg(repository().join("tests/report/read_pages.py"))
        .args(papers)
        .env("PYTHONPATH", pdfium));
    for name in ["desktop-light", "desktop-dark", "phone-light", "phone-dark"] {
        let size = std::fs::metadata(pictures.join(format!("{name}.png"))).map_or(0, |m| m.len());
        assert!(size > 10_000, "the screenshot {name} has {size} bytes");
    }
}
