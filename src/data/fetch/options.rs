//! The settings of a fetch.

use std::ffi::OsString;
use std::time::Duration;

/// How to fetch; [`Options::default`] is right for all but tests and unusual networks.
#[derive(Clone, Debug)]
pub struct Options {
    /// Show a bar (or, without a terminal, one line a source) on standard error.
    pub progress: bool,
    /// The longest wait for a mirror's name and connection.
    pub connect_timeout: Duration,
    /// The longest wait for the next bytes of a mirror that answered.
    pub read_timeout: Duration,
    /// The npm program.
    pub npm: OsString,
    /// The longest that npm may run.
    pub npm_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            progress: false,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(20),
            npm: OsString::from("npm"),
            npm_timeout: Duration::from_secs(180),
        }
    }
}
