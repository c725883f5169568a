//! What the environment asks of the driver.

use crate::kernel::Options;
use crate::profile::Profile;
use std::path::PathBuf;

/// Settings of the process, read once by `cuInit`.
#[derive(Clone, Debug)]
pub struct Config {
    pub profile: Profile,
    /// Limit of device memory in bytes.
    pub memory: u64,
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
    /// Settings that could not be understood, in words.
    pub complaints: Vec<String>,
}

impl Config {
    /// Reads the `SOFTGPU_*` variables through `get`.
    ///
    /// A value that can't be understood is kept in `complaints`; `cuInit` refuses to go on with one,
    /// so that a misspelt check is never silently off.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Config {
        let mut complaints = Vec::new();
        let device = get("SOFTGPU_DEVICE").unwrap_or_else(|| "sm_86".into());
        let profile = Profile::named(&device).unwrap_or_else(|| {
            complaints
                .push(format!("SOFTGPU_DEVICE={device} is no known profile; known are {}", Profile::NAMES.join(", ")));
            Profile::default()
        });
        let mut number = |name: &str, default: u64| match get(name) {
            None => default,
            Some(text) => parse_bytes(&text).unwrap_or_else(|| {
                complaints.push(format!("{name}={text} is not a whole number"));
                default
            }),
        };
        let memory = number("SOFTGPU_MEMORY", profile.memory_bytes);
        let seed = number("SOFTGPU_SEED", 0);
        let threads = number("SOFTGPU_THREADS", 0) as usize;
        let idle_ms = number("SOFTGPU_IDLE_MS", 500);
        let flag = |name: &str| get(name).is_some_and(|v| !v.is_empty() && v != "0");
        let table = flag("SOFTGPU_PROFILE");
        let counters_file = get("SOFTGPU_COUNTERS").map(PathBuf::from);
        let mut options = Options {
            seed,
            threads,
            counters: table || counters_file.is_some(),
            abort_on_finding: flag("SOFTGPU_ABORT"),
            ..Options::default()
        };
        if let Err(message) = set_checks(&mut options, &get("SOFTGPU_CHECK").unwrap_or_else(|| "none".into())) {
            complaints.push(format!("SOFTGPU_CHECK: {message}"));
        }
        let eager = match get("SOFTGPU_STREAMS").as_deref() {
            None | Some("late") => false,
            Some("eager") => true,
            Some(other) => {
                complaints.push(format!("SOFTGPU_STREAMS={other} is neither late nor eager"));
                false
            }
        };
        let ptxas = get(crate::ptxas::VARIABLE).map(PathBuf::from);
        if let Some(file) = ptxas.as_ref().filter(|f| !f.is_file()) {
            let (name, file) = (crate::ptxas::VARIABLE, file.display());
            complaints.push(format!("{name}={file} is no file"));
        }
        Config {
            profile,
            memory,
            options,
            table,
            findings_file: get("SOFTGPU_FINDINGS").map(PathBuf::from),
            counters_file,
            eager,
            idle_ms,
            ptxas,
            complaints,
        }
    }
}

/// Sets the checks from `all`, `none` or a list of `mem`, `init`, `race`, `sync`.
pub fn set_checks(options: &mut Options, text: &str) -> Result<(), String> {
    let [mut mem, mut init, mut race, mut sync] = [false; 4];
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        match word {
            "all" => [mem, init, race, sync] = [true; 4],
            "none" => [mem, init, race, sync] = [false; 4],
            "mem" => mem = true,
            "init" => init = true,
            "race" => race = true,
            "sync" => sync = true,
            other => {
                return Err(format!("`{other}` is no check; use all, none, or some of mem,init,race,sync"));
            }
        }
    }
    (options.mem, options.init, options.race, options.sync) = (mem, init, race, sync);
    Ok(())
}

/// A whole number, with an optional K, M or G (powers of 1024).
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, shift) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 10),
        'm' | 'M' => (&text[..text.len() - 1], 20),
        'g' | 'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Config {
        Config::read(|name| pairs.iter().find(|p| p.0 == name).map(|p| p.1.to_string()))
    }

    #[test]
    fn defaults() {
        let c = from(&[]);
        assert_eq!(c.profile.name, "sm_86");
        assert!(!c.options.mem && !c.options.race && !c.options.counters);
        assert!(c.complaints.is_empty());
    }

    #[test]
    fn settings_are_read() {
        let c = from(&[
            ("SOFTGPU_DEVICE", "sm_90"),
            ("SOFTGPU_MEMORY", "64M"),
            ("SOFTGPU_CHECK", "mem,race"),
            ("SOFTGPU_SEED", "7"),
            ("SOFTGPU_PROFILE", "1"),
        ]);
        assert_eq!(c.profile.sm, 90);
        assert_eq!(c.memory, 64 << 20);
        assert!(c.options.mem && c.options.race && !c.options.init && !c.options.sync);
        assert_eq!(c.options.seed, 7);
        assert!(c.table && c.options.counters);
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        assert_eq!(from(&[("SOFTGPU_CHECK", "rice")]).complaints.len(), 1);
        assert_eq!(from(&[("SOFTGPU_DEVICE", "sm_42")]).complaints.len(), 1);
        assert_eq!(from(&[("SOFTGPU_SEED", "-1")]).complaints.len(), 1);
        assert_eq!(from(&[("SOFTGPU_PTXAS", "/none")]).complaints.len(), 1);
        assert_eq!(from(&[("SOFTGPU_STREAMS", "soon")]).complaints.len(), 1);
    }
}
