//! What a training shows on standard error.

use super::progress::{Lines, bar, evaluated};
use crate::report::text::{count, estimate, thousands};
use crate::train::metrics::Epoch;
use crate::train::trainer::Event;
use crate::train::{Recipe, Trainer};
use indicatif::ProgressBar;
use std::path::Path;

/// Progress: a bar an epoch on a terminal; elsewhere a line every ten seconds; and a line an epoch.
pub struct Screen {
    bar: Option<ProgressBar>,
    lines: Lines,
    terminal: bool,
    epochs: u64,
}

impl Screen {
    pub fn new(terminal: bool, epochs: u64) -> Screen {
        Screen { bar: None, lines: Lines::new(), terminal, epochs }
    }

    pub fn show(&mut self, event: Event) {
        match event {
            Event::Progress { epoch, done, steps, loss, accuracy, images_per_second } if self.terminal => {
                let epochs = self.epochs;
                let bar = self.bar.get_or_insert_with(|| {
                    let bar = bar("epoch {prefix} [{bar:30}] {pos}/{len} {msg} {eta} left", steps);
                    bar.with_prefix(format!("{epoch}/{epochs}")).with_position(done)
                });
                bar.set_position(done);
                bar.set_message(format!(
                    "loss {loss:.4} accuracy {:.2} % {images_per_second:.0} images/s",
                    100.0 * accuracy
                ));
            }
            Event::Progress { epoch, done, steps, loss, accuracy, images_per_second } => self.lines.say(|| {
                let (accuracy, epochs) = (100.0 * accuracy, self.epochs);
                format!(
                    "epoch {epoch}/{epochs}: step {done} of {steps}, loss {loss:.4} accuracy {accuracy:.2} %, \
                     {images_per_second:.0} images/s"
                )
            }),
            Event::Evaluating { done, images } => {
                if self.terminal {
                    self.bar.get_or_insert_with(|| bar("{msg}", 0)).set_message(evaluated(done, images));
                } else {
                    self.lines.say(|| evaluated(done, images));
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

/// What a finished run reached: its best and its last epoch.
pub fn summary(trainer: &Trainer, dir: &Path) {
    let Some(last) = trainer.epochs.last() else {
        return;
    };
    trainer.divergence().iter().for_each(|text| eprintln!("warning: {text}"));
    let Some(best) = trainer.best else {
        eprintln!("no epoch's weights are worth keeping; run folder {}", dir.display());
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

/// What the accuracy of a run on a part of the images means, and what to do next, for who sees one for the first time.
/// `all`: the dataset's training and test images.
pub fn explanation(trainer: &Trainer, all: [usize; 2], dir: &Path) -> Option<String> {
    let (last, config) = (trainer.epochs.last()?, &trainer.config);
    let ([images, tests], classes, steps) = (all, config.classes, trainer.step);
    let tested = if config.test_images > 0 { config.test_images } else { tests };
    let guessing = 100.0 / classes as f64;
    let mut text = format!(
        "\nWhat the number means: with {classes} classes a guess is right in {guessing:.0} % of the cases. \
         {steps} steps on {} of {} images are a trial, not a training.\n",
        thousands(config.images),
        thousands(images)
    );
    if tested < tests {
        let dir = dir.display();
        let (tested, tests) = (thousands(tested), thousands(tests));
        text += &format!("It was tested on {tested} of {tests} test images; on all: warp19 eval {dir}\n");
    }
    // Seconds an image, in training and in evaluation, which the last epoch does twice.
    let (training, epochs) = (1.0 / last.images_per_second, trainer.epochs.len());
    let rest = last.seconds - (epochs * config.images) as f64 * training;
    let evaluating = (rest / ((epochs + 1) * tested) as f64).max(0.0);
    text += "Next, with all images, in the time by the speed of now:\n";
    for name in ["quick", "robust"] {
        let epochs = Recipe::named(Some(name), &config.model).ok()?.epochs;
        let seconds = (epochs * images as u64) as f64 * training + ((epochs + 1) * tests as u64) as f64 * evaluating;
        let model = if config.model == "vgg19" { String::new() } else { format!(" --model {}", config.model) };
        let command = format!("warp19 train{model} --recipe {name}");
        let epochs = count(epochs as usize, "epoch", "epochs");
        text += &format!("  {command:<32}  {epochs}, about {}\n", estimate(seconds));
    }
    Some(text)
}
