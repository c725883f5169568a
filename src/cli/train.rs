//! `warp19 train`.

use super::backend::Backend;
use super::report;
use crate::data::{self, atomic};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::model::zoo;
use crate::report::events::Events;
use crate::train::checkpoint::{Checkpoint, LAST};
use crate::train::metrics::Epoch;
use crate::train::trainer::{Event, Outcome};
use crate::train::{Config, Recipe, Trainer};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(clap::Args)]
pub struct Args {
    /// vgg19, vgg16-4pool, deep-mnist or deep-mnist-sgd [default: vgg19].
    #[arg(long, value_parser = zoo::NAMES, hide_possible_values = true)]
    model: Option<String>,
    /// robust or article [default: robust for the VGGs, the tutorials' own for deep-mnist*].
    #[arg(long, value_parser = Recipe::NAMES, hide_possible_values = true)]
    recipe: Option<String>,
    /// Folder with the dataset's IDX files; nothing is fetched then.
    #[arg(long)]
    data: Option<PathBuf>,
    /// mnist, fashion-mnist, kmnist, or any name with --data [default: mnist].
    #[arg(long)]
    dataset: Option<String>,
    #[command(flatten)]
    backend: Backend,
    /// f32; tf32 and bf16 need a GPU that has them.
    #[arg(long, default_value = "f32")]
    precision: String,
    /// Epochs of the whole run; the schedule is laid out over them.
    #[arg(long)]
    epochs: Option<u64>,
    /// Stop after this many steps in all, and save.
    #[arg(long)]
    steps: Option<u64>,
    /// Images in a step.
    #[arg(long)]
    batch: Option<usize>,
    /// Largest learning rate.
    #[arg(long)]
    lr: Option<f32>,
    /// Seed of all random numbers [default: 0].
    #[arg(long)]
    seed: Option<u64>,
    /// Run folder to make [default: runs/<model>-<time>].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Run folder to go on in.
    #[arg(long, conflicts_with_all = ["model", "recipe", "dataset", "epochs", "batch", "lr", "seed", "out", "limit", "validation"])]
    resume: Option<PathBuf>,
    /// Train on the first N images only.
    #[arg(long)]
    limit: Option<usize>,
    /// Hold out the last N training images and choose the best epoch on them.
    #[arg(long, default_value_t = 0)]
    validation: usize,
    /// Write event files for TensorBoard into the run folder's tensorboard/ too.
    #[arg(long)]
    tensorboard: bool,
    /// Seconds between checkpoints inside an epoch.
    #[arg(long, default_value_t = 300)]
    save_every: u64,
}

/// Trains; 1 when interrupted.
pub fn run(args: &Args) -> Result<ExitCode> {
    let precision = args.precision.parse()?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        // A second Ctrl-C does not wait for the step and the checkpoint.
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
    })
    .map_err(|e| Error::Device(format!("cannot listen for Ctrl-C: {e}")))?;
    let mut device = args.backend.open()?;
    let progress = std::io::stderr().is_terminal();
    let resumed = match &args.resume {
        Some(dir) => {
            if !dir.join(LAST).exists() {
                return Err(Error::Invalid(format!(
                    "{} has no {LAST} to resume from; give the folder of a run",
                    dir.display()
                )));
            }
            Some(Checkpoint::read(&dir.join(LAST))?)
        }
        None => None,
    };
    let name = match &resumed {
        Some(checkpoint) => checkpoint.meta.config.dataset.clone(),
        None => args.dataset.clone().unwrap_or_else(|| "mnist".into()),
    };
    let dataset = data::open(args.data.as_deref(), &name, progress)?;
    let (mut config, dir) = match (&resumed, &args.resume) {
        (Some(checkpoint), Some(dir)) => (checkpoint.meta.config.clone(), dir.clone()),
        _ => {
            let config = configure(args, &name, &dataset)?;
            let dir = match &args.out {
                Some(dir) => dir.clone(),
                None => PathBuf::from("runs").join(format!("{}-{}", config.model, timestamp())),
            };
            if dir.join(LAST).exists() || dir.join("config.json").exists() {
                return Err(Error::Invalid(format!(
                    "{} already holds a run; go on with it by --resume, or choose another --out",
                    dir.display()
                )));
            }
            (config, dir)
        }
    };
    config.precision = precision;
    atomic::writable_folder(&dir)?;
    let mut trainer = Trainer::new(device.as_mut(), config, &dataset, &dir, resumed)?;
    drop(dataset);
    let description = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "device": device.describe(),
        "config": trainer.config,
    });
    atomic::write(&dir.join("config.json"), format!("{description:#}\n").as_bytes())?;
    let c = &trainer.config;
    eprintln!(
        "{} on {}: {} images, recipe {}, batch {}, {} epochs, seed {}; {}",
        c.model,
        c.dataset,
        c.images,
        c.recipe.name,
        c.recipe.batch,
        c.recipe.epochs,
        c.seed,
        device.describe()
    );
    eprintln!("run folder {}", dir.display());
    let mut screen = Screen::new(progress, trainer.config.recipe.epochs);
    let mut events = match args.tensorboard {
        true => Some(Events::create(&dir, &trainer.epochs)?),
        false => None,
    };
    let outcome =
        trainer.run(device.as_mut(), args.steps, Duration::from_secs(args.save_every), &stop, &mut |event| {
            let written = match (&event, &mut events) {
                (Event::Epoch(line, _), Some(events)) => events.epoch(line),
                _ => Ok(()),
            };
            screen.show(event);
            if let Err(e) = written {
                screen.show(Event::Warning(format!("nothing for TensorBoard: {e}")));
            }
        })?;
    screen.close();
    match outcome {
        Outcome::Interrupted => {
            eprintln!(
                "interrupted at step {}; saved. Go on with: warp19 train --resume {}",
                trainer.step,
                dir.display()
            );
            return Ok(ExitCode::FAILURE);
        }
        Outcome::StepLimit => {
            let test = trainer.test(device.as_mut())?;
            eprintln!(
                "stopped at step {} as asked: test accuracy {:.2} %, loss {:.4}. Go on with: warp19 train --resume {}",
                trainer.step,
                100.0 * test.accuracy(),
                test.loss,
                dir.display()
            );
        }
        Outcome::Finished => {
            summary(&trainer, &dir);
            let step = trainer.step;
            // The pictures need the device's memory for a network of their own.
            drop((trainer, device));
            pictures(args, &dir, events.as_mut().map(|e| (e, step)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn configure(args: &Args, name: &str, dataset: &data::Dataset) -> Result<Config> {
    let model = args.model.clone().unwrap_or_else(|| "vgg19".into());
    let images = &dataset.train.images;
    let input = format!("{}x{}x1", images.height, images.width);
    zoo::build(&model, input.parse()?, dataset.classes)?;
    let mut recipe = Recipe::named(args.recipe.as_deref(), &model)?;
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.lr = args.lr.unwrap_or(recipe.lr);
    recipe.check()?;
    if args.limit == Some(0) {
        return Err(Error::Invalid("--limit 0 leaves no images to train on".into()));
    }
    if args.validation > 0 {
        dataset.split_validation(args.validation)?;
    }
    let available = dataset.train.len() - args.validation;
    Ok(Config {
        model,
        input,
        classes: dataset.classes,
        dataset: name.into(),
        recipe,
        seed: args.seed.unwrap_or(0),
        images: args.limit.unwrap_or(available).min(available),
        validation: args.validation,
        precision: Precision::default(),
    })
}

fn summary(trainer: &Trainer, dir: &Path) {
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

/// The run's pictures. The run is whole without them, so that a failure is told and no more.
fn pictures(args: &Args, dir: &Path, events: Option<(&mut Events, u64)>) {
    let draw = || -> Result<()> {
        let runs = [dir.to_path_buf()];
        report::write(&runs, dir, args.data.as_deref(), &args.backend)?;
        if let Some((events, step)) = events {
            let path = dir.join("errors.png");
            let png = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
            events.picture("errors", step, &png)?;
        }
        Ok(())
    };
    match draw() {
        Ok(()) => eprintln!("pictures: {}", dir.join("report.html").display()),
        Err(e) => eprintln!(
            "warning: the run is done, but its pictures are not: {e}. Draw them with: warp19 report {}",
            dir.display()
        ),
    }
}

/// Progress: a bar an epoch on a terminal, a line an epoch elsewhere.
struct Screen {
    bar: Option<ProgressBar>,
    terminal: bool,
    epochs: u64,
}

impl Screen {
    fn new(terminal: bool, epochs: u64) -> Screen {
        Screen { bar: None, terminal, epochs }
    }

    fn show(&mut self, event: Event) {
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

    fn close(&mut self) {
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
    if let Some(raw) = e.test_accuracy_raw {
        text += &format!(" (plain weights {:.2} %)", 100.0 * raw);
    }
    if let Some(val) = e.val_accuracy {
        text += &format!("  validation {:.2} %", 100.0 * val);
    }
    text += &format!("  {:.0} images/s  {:.0} s", e.images_per_second, e.seconds);
    if improved {
        text += "  best";
    }
    text
}

/// UTC as `20170131-235959`, from the days of the civil calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms").
fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}
