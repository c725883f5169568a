//! No wait without a word: bars where standard error is a terminal, a line every ten seconds elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a line is written where no bar can be shown.
const EVERY: Duration = Duration::from_secs(10);

/// Lines for where no bar can be shown.
pub struct Lines(Instant);

impl Lines {
    pub fn new() -> Lines {
        Lines(Instant::now())
    }

    /// Writes a line if the last one is long ago.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        if self.0.elapsed() >= EVERY {
            eprintln!("{}", text());
            self.0 = Instant::now();
        }
    }
}

/// A bar of this form.
pub fn bar(template: &str, len: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(len).with_style(style.progress_chars("=> "))
}

/// How far an evaluation is, in words.
pub fn evaluated(done: usize, images: usize) -> String {
    format!("evaluating {done} of {images} images")
}

/// Shows how many of the images of an evaluation are done.
pub fn evaluating() -> impl FnMut(usize, usize) {
    counting("evaluating", "images", evaluated)
}

/// Shows how many things of how many are done; `line` says it where there is no bar.
pub fn counting<L>(doing: &str, things: &str, line: L) -> impl FnMut(usize, usize) + use<L>
where
    L: Fn(usize, usize) -> String,
{
    let bar = bar(&format!("{doing} [{{bar:30}}] {{pos}}/{{len}} {things} {{eta}} left"), 0);
    let mut lines = Lines::new();
    move |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        if bar.is_hidden() {
            lines.say(|| line(done, all));
        }
        if done == all {
            bar.finish_and_clear();
        }
    }
}

/// Something that takes a while and cannot be counted: a sign of life on a terminal, and elsewhere a line when it has
/// taken ten seconds, and every ten seconds on. It ends when this is dropped.
pub struct Waiting {
    bar: ProgressBar,
    lines: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Begins a [`Waiting`] for what `doing` names, "reading the checkpoint".
pub fn waiting(doing: &'static str) -> Waiting {
    let bar = bar("{spinner} {msg}, {elapsed}", 0).with_message(doing);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(100));
        return Waiting { bar, lines: None };
    }
    let (end, ended) = mpsc::channel();
    let began = Instant::now();
    let lines = std::thread::spawn(move || {
        while ended.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{doing}, for {} s now", began.elapsed().as_secs());
        }
    });
    Waiting { bar, lines: Some((end, lines)) }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some((end, lines)) = self.lines.take() {
            drop(end);
            let _ = lines.join();
        }
    }
}
