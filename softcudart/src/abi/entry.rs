//! The frame around every entry point: the last error, refusals, the log, panics.

use super::errors::*;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Defines an entry point: `entry!(cudaName, |argument: Type, ...| body)`, whose body is an [`Answer`].
///
/// The function has that name and those arguments in C and runs its body inside [`call`]. It is unsafe to call from
/// Rust, because only C gives arguments that are what the runtime API says of them. Its name must be in `symbols.txt`;
/// a test compares the two.
macro_rules! entry {
    ($name:ident, || $body:expr) => {
        $crate::abi::entry::entry!($name, | | $body);
    };
    ($name:ident, |$($argument:ident: $type:ty),* $(,)?| $body:expr) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $crate::abi::Code {
            $crate::abi::entry::call(stringify!($name), || $body)
        }
    };
}
pub(crate) use entry;

/// Defines an entry point on a stream and its twin for programs compiled with `--default-stream per-thread`, to which
/// stream 0 is the thread's own: `on_stream!(cudaName, cudaName_ptsz, stream, |argument: Type, ...| body)`.
macro_rules! on_stream {
    ($name:ident, $own:ident, $stream:ident, |$($argument:ident: $type:ty),* $(,)?| $body:expr) => {
        $crate::abi::entry::entry!($name, |$($argument: $type),*| $body);
        $crate::abi::entry::entry!($own, |$($argument: $type),*| {
            let $stream = $stream.per_thread();
            $body
        });
    };
}
pub(crate) use on_stream;

/// Defines the four forms of a copy or a fill: at once and on a stream, each with its twin where the default stream is
/// the thread's own: `forms!(cudaName, cudaName_ptds, cudaNameAsync, cudaNameAsync_ptsz, when, |argument: Type, ...|
/// body)`.
macro_rules! forms {
    ($now:ident, $own:ident, $on:ident, $on_own:ident, $when:ident, |$($argument:ident: $type:ty),*| $body:expr) => {
        $crate::abi::entry::entry!($now, |$($argument: $type),*| {
            let $when = When::Now;
            $body
        });
        $crate::abi::entry::entry!($own, |$($argument: $type),*| {
            let $when = When::NowOwn;
            $body
        });
        $crate::abi::entry::on_stream!($on, $on_own, stream, |$($argument: $type,)* stream: Handle| {
            let $when = When::On(stream);
            $body
        });
    };
}
pub(crate) use forms;

/// Why a call was refused: the code the caller gets and the words that go to the log; none where the driver has said
/// why.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
}

/// Result of the runtime's own functions.
pub type Answer<T = ()> = Result<T, Refusal>;

/// A refusal with its reason.
pub fn refuse<T>(code: Code, message: impl Display) -> Answer<T> {
    Err(Refusal { code, message: message.to_string() })
}

/// Refuses unless something holds.
pub fn ensure(holds: bool, code: Code, message: impl Display) -> Answer {
    if holds { Ok(()) } else { refuse(code, message) }
}

/// Refuses arguments for which something does not hold.
pub fn valid(holds: bool, message: impl Display) -> Answer {
    ensure(holds, INVALID_VALUE, message)
}

thread_local! {
    /// The error of the last call of this thread that failed, until it is asked for.
    static LAST: Cell<Code> = const { Cell::new(0) };
}

/// The thread's last error.
pub fn last_error() -> Code {
    LAST.get()
}

/// Takes the thread's last error; one that stays with its context is not forgotten.
pub fn take_last_error() -> Code {
    let last = LAST.get();
    if !is_sticky(last) {
        LAST.set(0);
    }
    last
}

/// Forgets the thread's last error, whatever it was.
pub fn forget_last_error() {
    LAST.set(0);
}

/// Runs an entry point's body and turns its answer into a code, which becomes the thread's last error. A panic inside
/// is reported as `cudaErrorUnknown` instead of crossing into C.
pub fn call(name: &'static str, body: impl FnOnce() -> Answer) -> Code {
    let failed = "softcudart itself failed; please report it with the message above";
    let answer = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| refuse(UNKNOWN, failed));
    let Err(Refusal { code, message }) = answer else {
        return 0;
    };
    if !message.is_empty() {
        let code = describe(code).map_or_else(|| code.to_string(), |d| d.0.to_string_lossy().into_owned());
        log(&format!("{name}: {code}: {message}"));
    }
    LAST.set(code);
    code
}

/// Writes one line to standard error, as the driver does.
pub fn log(message: &str) {
    if std::env::var_os("SOFTGPU_QUIET").is_none() {
        eprintln!("softcudart: {message}");
    }
}

/// The answer of an entry point that is not there: its name is logged once.
pub fn unsupported(name: &'static str) -> Code {
    static SAID: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let fresh = SAID.lock().unwrap_or_else(|p| p.into_inner()).get_or_insert_default().insert(name);
    call(name, || {
        Err(Refusal { code: NOT_SUPPORTED, message: if fresh { "softcudart does not have it" } else { "" }.into() })
    })
}
