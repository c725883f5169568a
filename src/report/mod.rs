//! Pictures of runs: misread digits, surest digits, curves, and one page with all of it.
//!
//! ```text
//! run::Run::read(folder)  metrics, checkpoint, answers to the test images
//! guesses                 answers sorted: errors, surest, confusion
//! curves -> chart         accuracy, loss, time, loss by step of any number of runs
//! errors, correct, confusion, features   sheets of one run
//! html                    report.html, pictures and data inside
//! events                  TensorBoard's event files
//! ```
//!
//! Sheets are of the first run that has a checkpoint. Equal runs give equal bytes: nothing here reads a clock.

pub mod axis;
mod canvas;
mod chart;
mod confusion;
mod correct;
mod curves;
mod errors;
pub mod events;
mod features;
pub mod guesses;
mod html;
pub mod known;
mod palette;
pub mod run;
mod sheet;
pub mod text;

pub use run::Run;

use crate::data::atomic;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Writes all pictures and `report.html` into `out` and returns the files. Pages of an earlier report that this one
/// does not have are removed.
///
/// # Errors
/// No runs, and those of the file system.
pub fn write(runs: &mut [Run], out: &Path) -> Result<Vec<PathBuf>> {
    if runs.is_empty() {
        return Err(Error::Invalid("a report needs at least one run".into()));
    }
    name_apart(runs);
    let runs = &*runs;
    atomic::writable_folder(out)?;
    let mut files = Vec::new();
    let mut save = |name: &str, bytes: &[u8]| -> Result<()> {
        let path = out.join(name);
        atomic::write(&path, bytes)?;
        files.push(path);
        Ok(())
    };
    let theme = palette::LIGHT;
    for (name, chart) in curves::all(runs, &theme) {
        let picture = chart::draw(&chart, chart::WIDE, theme)?.canvas.png()?;
        save(&format!("{name}.png"), &picture)?;
    }
    let mut pages = 0;
    if let Some((run, tested)) = runs.iter().find_map(|r| Some((r, r.tested.as_ref()?))) {
        for (index, page) in errors::draw(run, tested)?.iter().enumerate() {
            save(&errors::file_name(index), &page.png()?)?;
            pages += 1;
        }
        save("correct.png", &correct::draw(run, tested, theme)?.png()?)?;
        save("confusion.png", &confusion::draw(run, tested)?.png()?)?;
        save("features.png", &features::draw(run, tested, theme)?.png()?)?;
    }
    save("report.html", html::page(runs)?.as_bytes())?;
    remove_old_pages(out, pages);
    Ok(files)
}

/// Names runs by what tells them apart: runs of one folder name get numbers.
fn name_apart(runs: &mut [Run]) {
    for i in 0..runs.len() {
        let same = |r: &Run| r.label == runs[i].label;
        let earlier = runs[..i].iter().filter(|r| same(r)).count();
        if earlier > 0 {
            runs[i].label = format!("{} ({})", runs[i].label, earlier + 1);
        }
    }
}

/// Removes the pages of errors that an earlier report had and this one has not.
fn remove_old_pages(out: &Path, pages: usize) {
    for page in pages.max(1)..errors::PAGES {
        let _ = std::fs::remove_file(out.join(errors::file_name(page)));
    }
}
