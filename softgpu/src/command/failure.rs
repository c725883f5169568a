//! Exit codes, and why nothing ran.

/// Exit code: the kernel ran and nothing was found.
pub const CLEAN: u8 = 0;
/// Exit code: refused, or failed while running.
pub const FAILED: u8 = 1;
/// Exit code: wrong usage.
pub const USAGE: u8 = 2;
/// Exit code: the checks found something.
pub const FINDINGS: u8 = 3;

/// Why nothing ran, or why it ended badly, with the exit code.
#[derive(Debug)]
pub struct Failure {
    /// [`FAILED`] or [`USAGE`].
    pub code: u8,
    /// One paragraph.
    pub message: String,
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure { code: FAILED, message }
    }
}

/// Wrong usage.
pub fn usage(message: String) -> Failure {
    Failure { code: USAGE, message }
}
