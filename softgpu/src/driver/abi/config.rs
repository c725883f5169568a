//! What the environment asks of the driver.

use crate::kernel::Options;
use crate::profile::Profile;
use std::path::{Path, PathBuf};

/// Settings of the process, read once by `cuInit`.
#[derive(Default)]
pub struct Config {
    pub profile: Profile,
    /// Limit of device memory in bytes.
    pub memory: u64,
    /// Bytes at least between allocations.
    pub gap: u64,
    pub options: Options,
    /// Print the counter table at the end.
    pub table: bool,
    pub findings_file: Option<PathBuf>,
    pub counters_file: Option<PathBuf>,
    /// Run stream work in the call that queues it instead of as late as possible.
    pub eager: bool,
    /// Milliseconds without any driver call after which queued work runs by itself; 0 is never.
    pub idle_ms: u64,
    /// NVIDIA's assembler, asked for the registers of every kernel.
    pub ptxas: Option<PathBuf>,
}

/// Sets one of them from its text, or says what is wrong with that.
type Set = fn(&mut Config, &str) -> Result<(), String>;

/// The variables and what they set; the device comes first because it brings its memory.
const SETTINGS: [(&str, Set); 16] = [
    ("SOFTGPU_DEVICE", |config, text| {
        config.profile = text.parse()?;
        set(&mut config.memory, Ok(config.profile.memory_bytes))
    }),
    ("SOFTGPU_MEMORY", |config, text| set(&mut config.memory, number(text))),
    ("SOFTGPU_CHECK", |config, text| config.options.set_checks(text)),
    ("SOFTGPU_FAIL", |config, text| set(&mut config.options.fail_on, text.parse())),
    ("SOFTGPU_MUTE", |config, text| config.options.set_muted(text)),
    ("SOFTGPU_GAP", |config, text| set(&mut config.gap, number(text))),
    ("SOFTGPU_GUARD", |config, text| set(&mut config.options.guard, Ok(is_on(text)))),
    ("SOFTGPU_ABORT", |config, text| set(&mut config.options.abort_on_finding, Ok(is_on(text)))),
    ("SOFTGPU_SEED", |config, text| set(&mut config.options.seed, number(text))),
    ("SOFTGPU_THREADS", |config, text| set(&mut config.options.threads, number(text).map(|n| n as usize))),
    ("SOFTGPU_STREAMS", |config, text| match text {
        "late" | "eager" => set(&mut config.eager, Ok(text == "eager")),
        _ => Err("it is neither late nor eager".into()),
    }),
    ("SOFTGPU_IDLE_MS", |config, text| set(&mut config.idle_ms, number(text))),
    ("SOFTGPU_PROFILE", |config, text| set(&mut config.table, Ok(is_on(text)))),
    ("SOFTGPU_FINDINGS", |config, text| set(&mut config.findings_file, Ok(Some(text.into())))),
    ("SOFTGPU_COUNTERS", |config, text| set(&mut config.counters_file, Ok(Some(text.into())))),
    (crate::ptxas::VARIABLE, |config, text| match Path::new(text).is_file() {
        true => set(&mut config.ptxas, Ok(Some(text.into()))),
        false => Err("there is no such file".into()),
    }),
];

impl Config {
    /// Reads the variables through `get`.
    ///
    /// # Errors
    /// One that can't be understood: `cuInit` refuses to go on then, so that a misspelt check is never silently off.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        let mut config = Config { idle_ms: 500, ..Config::default() };
        config.memory = config.profile.memory_bytes;
        for (variable, _) in SETTINGS {
            if let Some(text) = get(variable) {
                config.set(variable, &text)?;
            }
        }
        config.options.counters = config.table || config.counters_file.is_some();
        Ok(config)
    }

    /// Sets what a variable stands for.
    ///
    /// # Errors
    /// The variable, its text and what is wrong with it.
    pub fn set(&mut self, variable: &str, text: &str) -> Result<(), String> {
        let found = SETTINGS.iter().find(|setting| setting.0 == variable);
        let result = found.map_or(Err("there is no such setting".into()), |setting| setting.1(self, text));
        result.map_err(|message| format!("{variable}={text}: {message}"))
    }
}

fn set<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

/// A switch: anything but nothing and 0.
pub fn is_on(text: &str) -> bool {
    !text.is_empty() && text != "0"
}

/// A whole number, with an optional K, M or G (powers of 1024).
fn number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err("it is not a whole number".into()),
    };
    let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    number.ok_or_else(|| "it is not a whole number".into())
}
