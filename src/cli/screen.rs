//! What a training shows on standard error.

use crate::train::Trainer;
use crate::train::metrics::Epoch;
use crate::train::trainer::Event;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// Progress: a bar an epoch on a terminal, a line an epoch elsewhere.
pub struct Screen {
    bar: Option<ProgressBar>,
    terminal: bool,
    epochs: u64,
}

impl Screen {
    pub fn new(terminal: bool, epochs: u64) -> Screen {
        Screen { bar: None, terminal, epochs }
    }

    pub fn show(&mut self, event: Event) {
        match event {
            Event::Progress { epoch, done, steps, loss, accuracy, images_per_second } if self.terminal => {
                let epochs = self.epochs;
                let bar = self.bar.get_or_insert_with(|| {
                    let style = "epoch {prefix} [{bar:30}] {pos}/{len} {msg} {eta} left";
                    let style = ProgressStyle::with_template(style).expect("a valid template");
                    let bar = ProgressBar::new(steps).with_style(style.progress_chars("=> "));
                    bar.with_prefix(format!("{epoch}/{epochs}")).with_position(done)
                });
                bar.set_position(done);
                bar.set_message(format!(
                    "loss {loss:.4} accuracy {:.2} % {images_per_second:.0} images/s",
                    100.0 * accuracy
                ));
            }
            Event::Progress { .. } => {}
            Event::Evaluating => {
                if let Some(bar) = &self.bar {
                    bar.set_message("evaluating");
                }
            }
            Event::Epoch(line, improved) => {
                self.close();
                eprintln!("{}", describe(line, self.epochs, improved));
            }
            Event::Warning(text) => {
                self.close();
                eprintln!("warning: {text}");
            }
        }
    }

    pub fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn describe(e: &Epoch, epochs: u64, improved: bool) -> String {
    let mut text = format!(
        "epoch {}/{epochs}  train loss {:.4} accuracy {:.2} %  test loss {:.4} accuracy {:.2} %",
        e.epoch,
        e.train_loss,
        100.0 * e.train_accuracy,
        e.test_loss,
        100.0 * e.test_accuracy
    );
    text += &e.test_accuracy_raw.map_or(String::new(), |raw| format!(" (plain weights {:.2} %)", 100.0 * raw));
    text += &e.val_accuracy.map_or(String::new(), |share| format!("  validation {:.2} %", 100.0 * share));
    text + &format!("  {:.0} images/s  {:.0} s{}", e.images_per_second, e.seconds, if improved { "  best" } else { "" })
}

/// The last line of a finished run: its best and its last epoch.
pub fn summary(trainer: &Trainer, dir: &Path) {
    let (Some(best), Some(last)) = (trainer.best, trainer.epochs.last()) else {
        return;
    };
    let chosen = match trainer.epochs.iter().find(|e| e.epoch == best.epoch) {
        Some(epoch) if trainer.config.validation > 0 => format!(
            "best epoch {} by validation ({:.2} %): test accuracy {:.2} %",
            best.epoch,
            100.0 * best.accuracy,
            100.0 * epoch.test_accuracy
        ),
        _ => format!(
            "best test accuracy {:.2} % in epoch {} (chosen on the test images)",
            100.0 * best.accuracy,
            best.epoch
        ),
    };
    eprintln!(
        "{chosen}; last epoch {:.2} %; {:.0} s in all; run folder {}",
        100.0 * last.test_accuracy,
        last.seconds,
        dir.display()
    );
}
