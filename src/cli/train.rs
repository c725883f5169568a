//! `warp19 train`.

use super::backend::{self, Asked, Backend};
use super::screen::{Screen, summary};
use super::{progress, report, screen};
use crate::data::{self, Dataset, Origin, Wanted, atomic};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::export::weights::Weights;
use crate::model::{Shape, zoo};
use crate::report::events::Events;
use crate::report::text::count;
use crate::train::checkpoint::{self, Checkpoint, LAST, Meta};
use crate::train::init;
use crate::train::record::{self, Record, Start};
use crate::train::trainer::{Event, Outcome};
use crate::train::{Config, Recipe, Trainer};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Images that a run on a part of the training images is tested on, where there are so many.
const LEAST_TESTED: usize = 1000;

/// Flags that a resumed run has from its checkpoint.
const FIXED: [&str; 15] = [
    "model",
    "recipe",
    "dataset",
    "precision",
    "batch",
    "lr",
    "seed",
    "out",
    "limit",
    "test_limit",
    "validation",
    "classes",
    "input",
    "init",
    "freeze",
];

#[derive(clap::Args)]
pub struct Args {
    /// vgg19, vgg16-4pool, deep-mnist, deep-mnist-sgd, or of torchvision's form vgg19-torchvision, vgg16-torchvision
    /// [default: vgg19; with --init what the weights are of].
    #[arg(long, value_parser = backend::name_of(zoo::NAMES), ignore_case = true, hide_possible_values = true)]
    model: Option<String>,
    /// robust, quick, article or fine-tune [default: fine-tune with --init; robust for the VGGs, the tutorials' own for
    /// deep-mnist*].
    #[arg(long, value_parser = backend::name_of(Recipe::NAMES), ignore_case = true, hide_possible_values = true)]
    recipe: Option<String>,
    /// Folder with IDX files, CIFAR's, or pictures in train/CLASS and test/CLASS; nothing is fetched then.
    #[arg(long)]
    data: Option<PathBuf>,
    /// mnist, fashion-mnist, kmnist, emnist-balanced (-letters, -byclass, ...), cifar10, or any name with --data
    /// [default: mnist, or the folder's name].
    #[arg(long)]
    dataset: Option<String>,
    /// Number of classes [default: as many as the data name, or the training labels need].
    #[arg(long)]
    classes: Option<usize>,
    /// Size that pictures are brought to, such as 224x224x3 [default: their own].
    #[arg(long)]
    input: Option<Shape>,
    /// Start from weights of torchvision's names, a safetensors file; layers whose size differs start anew.
    #[arg(long)]
    init: Option<PathBuf>,
    /// Leave a part of the weights as they are: features, the convolutions.
    #[arg(long, value_enum, requires = "init")]
    freeze: Option<Part>,
    #[command(flatten)]
    backend: Backend,
    #[arg(
        long,
        value_parser = backend::precision_or_auto(),
        help = format!("{}; or auto, bf16 where the device has matrix units for it [default: f32]", backend::PRECISIONS)
    )]
    precision: Option<Asked>,
    /// Epochs of the whole run; the schedule is laid out over them. With --resume: train longer.
    #[arg(long)]
    epochs: Option<u64>,
    /// Stop after this many steps in all, and save.
    #[arg(long)]
    steps: Option<u64>,
    /// Images in a step.
    #[arg(long)]
    batch: Option<usize>,
    /// Largest learning rate.
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f32>,
    /// Seed of all random numbers [default: 0].
    #[arg(long)]
    seed: Option<u64>,
    /// Run folder to make [default: runs/<model>-<time>].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Run folder to go on in.
    #[arg(long, conflicts_with_all = FIXED)]
    resume: Option<PathBuf>,
    /// Train on the first N images only.
    #[arg(long)]
    limit: Option<usize>,
    /// Test on N images, evenly spaced among the test images [default: all; with --limit N, as many, 1000 at
    /// least].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    test_limit: Option<u32>,
    /// Hold out the last N training images and choose the best epoch on them.
    #[arg(long, default_value_t = 0)]
    validation: usize,
    /// Test the plain weights after every epoch too, not only their average; the last epoch does so in any case.
    #[arg(long)]
    plain_too: bool,
    /// Write event files for TensorBoard into the run folder's tensorboard/ too.
    #[arg(long)]
    tensorboard: bool,
    /// Seconds between checkpoints inside an epoch.
    #[arg(long, default_value_t = 300)]
    save_every: u64,
}

/// A part of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Features,
}

/// Trains; 1 when interrupted, or when the training ended diverged.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stop = stop_flag()?;
    let mut device = args.backend.open()?;
    let progress = std::io::stderr().is_terminal();
    let mut resumed = args.resume.as_deref().map(newest).transpose()?;
    let longer = match (&mut resumed, args.epochs) {
        (Some(checkpoint), Some(epochs)) => Some(extend(&mut checkpoint.meta, epochs)?),
        _ => None,
    };
    let (config, dir, (dataset, origin)) = match (&resumed, &args.resume) {
        (Some(checkpoint), Some(dir)) => {
            let config = checkpoint.meta.config.clone();
            let reading = progress::waiting("reading the data");
            let data = record::dataset(dir, &config, args.data.as_deref())?;
            drop(reading);
            (config, dir.clone(), data)
        }
        _ => {
            let model = model(args)?;
            let (dataset, origin) = open(args, &model)?;
            let precision = args.precision.map_or(Precision::default(), |asked| asked.of(device.as_ref()));
            let config = configure(args, model, precision, &dataset)?;
            let dir = new_folder(args, &config.model)?;
            (config, dir, (dataset, origin))
        }
    };
    device.supports(config.precision)?;
    atomic::writable_folder(&dir)?;
    if let Some(path) = &args.init {
        resumed = Some(initial(path, &config)?);
    }
    let setting_up = progress::waiting("setting up the network");
    let mut trainer = Trainer::new(device.as_mut(), config, &dataset, &dir, resumed)?;
    drop(setting_up);
    trainer.plain_too = args.plain_too;
    let images = [dataset.train.len(), dataset.test.len()];
    drop(dataset);
    introduce(&trainer.config, &device.describe(), origin, args.init.as_deref(), &dir)?;
    longer.iter().for_each(|text| eprintln!("{text}"));
    let mut screen = Screen::new(progress, trainer.config.recipe.epochs);
    let mut events = match args.tensorboard {
        true => Some(Events::create(&dir, &trainer.epochs)?),
        false => None,
    };
    let tell = &mut |event: Event| {
        let written = match (&event, &mut events) {
            (Event::Epoch(line, _), Some(events)) => events.epoch(line),
            _ => Ok(()),
        };
        screen.show(event);
        if let Err(e) = written {
            screen.show(Event::Warning(format!("nothing for TensorBoard: {e}")));
        }
    };
    let outcome = trainer.run(device.as_mut(), args.steps, Duration::from_secs(args.save_every), &stop, tell)?;
    screen.close();
    let (step, go_on) = (trainer.step, format!("Go on with: warp19 train --resume {}", dir.display()));
    let has_diverged = outcome == Outcome::Finished && trainer.divergence().is_some();
    match outcome {
        Outcome::Interrupted => {
            eprintln!("interrupted at step {step}; saved. {go_on}");
            return Ok(ExitCode::FAILURE);
        }
        Outcome::StepLimit => {
            let test = trainer.test(device.as_mut(), &mut |event| screen.show(event))?;
            let accuracy = 100.0 * test.accuracy();
            let loss = test.loss;
            eprintln!("stopped at step {step} as asked: test accuracy {accuracy:.2} %, loss {loss:.4}. {go_on}");
        }
        Outcome::Finished => {
            summary(&trainer, &dir);
            let is_part = trainer.config.images + trainer.config.validation < images[0];
            let explanation = if is_part { screen::explanation(&trainer, images, &dir) } else { None };
            // The pictures need the device's memory for a network of their own.
            drop((trainer, device));
            pictures(args, &dir, events.as_mut().map(|e| (e, step)));
            eprint!("{}", explanation.filter(|_| !has_diverged).unwrap_or_default());
        }
    }
    Ok(if has_diverged { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A flag that Ctrl-C sets.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        // A second Ctrl-C does not wait for the step and the checkpoint.
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
    })
    .map_err(|e| Error::Device(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}

/// The newest state in a run folder.
fn newest(dir: &Path) -> Result<Checkpoint> {
    let _reading = progress::waiting("reading the checkpoint");
    checkpoint::of_run(dir, &[LAST])?.ok_or_else(|| {
        Error::Invalid(format!("{} has no {LAST} to resume from; give the folder of a run", dir.display()))
    })
}

/// Makes a run longer; what to say of it.
fn extend(meta: &mut Meta, epochs: u64) -> Result<String> {
    let (step, config) = (meta.step, &mut meta.config);
    let before = (config.recipe.epochs, config.recipe.lr_at(step.saturating_sub(1), config.images));
    config.extend(step, epochs)?;
    Ok(format!(
        "made longer: {epochs} epochs where it had {}. The learning rate follows the schedule of {epochs} epochs from \
         here: {:.2e} in the next step, {:.2e} in the last",
        before.0,
        config.recipe.lr_at(step, config.images),
        before.1
    ))
}

/// The folder of a new run, which must hold none yet.
fn new_folder(args: &Args, model: &str) -> Result<PathBuf> {
    let own = || PathBuf::from("runs").join(format!("{model}-{}", timestamp()));
    let dir = args.out.clone().unwrap_or_else(own);
    if dir.join(LAST).exists() || dir.join(record::FILE).exists() {
        return Err(Error::Invalid(format!(
            "{} already holds a run; go on with it by --resume, or choose another --out",
            dir.display()
        )));
    }
    Ok(dir)
}

/// The network's name: as asked for, else that of the weights to start from.
fn model(args: &Args) -> Result<String> {
    let Some(path) = args.init.as_ref().filter(|_| args.model.is_none()) else {
        return Ok(args.model.clone().unwrap_or_else(|| "vgg19".into()));
    };
    let network = Weights::open(path)?.network();
    network.map(str::to_string).ok_or_else(|| {
        let problem = "has weights of another network than torchvision's VGG16 or VGG19; say with --model which one";
        Error::file(path, problem)
    })
}

/// The weights to start from, as the checkpoint of a run of no steps.
fn initial(path: &Path, config: &Config) -> Result<Checkpoint> {
    let model = config.model()?;
    let mut weights = init::weights(&model, config.recipe.init, config.seed);
    let fresh = Weights::open(path)?.fill(&model, &mut weights)?;
    match fresh.is_empty() {
        true => eprintln!("all weights are those of {}", path.display()),
        false => eprintln!("the weights are those of {}; {} start anew", path.display(), fresh.join(", ")),
    }
    Ok(Checkpoint { meta: Meta::new(0, config.clone(), None, [0.0; 4]), arenas: vec![("weights", weights)] })
}

/// The data to train on, under the name that they are given or have.
fn open(args: &Args, model: &str) -> Result<(Dataset, Origin)> {
    // What torchvision's networks were trained on.
    let usual = (args.init.is_some() && model.ends_with("torchvision")).then_some(Shape { h: 224, w: 224, c: 3 });
    let size = args.input.or(usual).map(|Shape { h, w, c }| [h, w, c]);
    if size.is_some_and(|[.., c]| !matches!(c, 1 | 3)) {
        return Err(Error::Invalid("--input: pictures have 1 channel or 3, as in 28x28x1 or 224x224x3".into()));
    }
    let wanted = Wanted { classes: args.classes, names: None, size, seed: args.seed.unwrap_or(0) };
    let name = args.dataset.as_deref().unwrap_or("mnist");
    let reading = args.data.as_ref().map(|_| progress::waiting("reading the data"));
    let (mut dataset, mut origin) = data::open(args.data.as_deref(), name, &wanted)?;
    drop(reading);
    for note in &origin.notes {
        eprintln!("note: {note}");
    }
    if let Some(name) = &args.dataset {
        (dataset.name, origin.name) = (name.clone(), name.clone());
    }
    Ok((dataset, origin))
}

/// Writes the run's record, and says what is trained where.
fn introduce(c: &Config, device: &str, origin: Origin, init: Option<&Path>, dir: &Path) -> Result<()> {
    let (command, init) = match Record::read(dir)? {
        Some(record) => (record.command, record.init),
        None => (std::env::args().collect(), init.map(Start::of).transpose()?),
    };
    let (version, data) = (env!("CARGO_PKG_VERSION").into(), Some(origin));
    Record { version, command, device: device.into(), init, data, config: c.clone() }.write(dir)?;
    let (model, dataset, images, seed) = (&c.model, &c.dataset, c.images, c.seed);
    let (recipe, batch, epochs, precision) = (&c.recipe.name, c.recipe.batch, c.recipe.epochs, c.precision);
    let epochs = count(epochs as usize, "epoch", "epochs");
    let tested = if c.test_images > 0 { format!(", tested on {}", c.test_images) } else { String::new() };
    eprintln!(
        "{model} on {dataset}: {images} images{tested}, recipe {recipe}, batch {batch}, {epochs}, seed {seed}, \
         {precision}; {device}"
    );
    eprintln!("run folder {}", dir.display());
    Ok(())
}

fn configure(args: &Args, model: String, precision: Precision, dataset: &Dataset) -> Result<Config> {
    let (input, classes) = (dataset.train.images.size(), dataset.classes.count());
    zoo::build(&model, input.parse()?, classes)?;
    let tuned = args.init.is_some().then_some("fine-tune");
    let mut recipe = Recipe::named(args.recipe.as_deref().or(tuned), &model)?;
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.lr = args.lr.unwrap_or(recipe.lr);
    let measuring = progress::waiting("measuring the brightness of the images");
    recipe.suit(&dataset.train.images)?;
    drop(measuring);
    recipe.check()?;
    if args.limit == Some(0) {
        return Err(Error::Invalid("--limit 0 leaves no images to train on".into()));
    }
    if args.validation > 0 {
        dataset.split_validation(args.validation)?;
    }
    let available = dataset.train.len() - args.validation;
    let images = args.limit.unwrap_or(available).min(available);
    if let Some(limit) = args.limit.filter(|&limit| limit > available) {
        eprintln!("warning: --limit {limit}: there are {available} images to train on; all of them are taken");
    }
    if recipe.batch > images {
        eprintln!(
            "warning: there are {images} images to train on, fewer than the batch of {}; the batch is {images}, an \
             epoch one step",
            recipe.batch
        );
        recipe.batch = images;
    }
    let (tests, limit) = (dataset.test.len(), args.limit.map(|_| images.max(LEAST_TESTED)));
    let tested = args.test_limit.map(|n| n as usize).or(limit).unwrap_or(tests);
    Ok(Config {
        model,
        input,
        classes,
        dataset: dataset.name.clone(),
        recipe,
        extended: Vec::new(),
        seed: args.seed.unwrap_or(0),
        images,
        test_images: if tested < tests { tested } else { 0 },
        validation: args.validation,
        frozen_features: args.freeze == Some(Part::Features),
        precision,
    })
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

/// UTC as `20170131-235959`.
fn timestamp() -> String {
    let text = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    text.replace(['-', ':', 'Z'], "").replace('T', "-")
}
