//! How long to wait for what, and which npm.

use std::ffi::OsString;
use std::time::Duration;

/// How to fetch; [`Options::default`] is right for all but tests and unusual networks.
#[derive(Clone, Debug)]
pub struct Options {
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
        let [connect_timeout, read_timeout, npm_timeout] = [5, 20, 180].map(Duration::from_secs);
        Options { connect_timeout, read_timeout, npm: "npm".into(), npm_timeout }
    }
}
