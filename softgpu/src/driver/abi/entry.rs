//! The frame around every entry point: refusals, the log, panics, callbacks.

use super::config::is_on;
use super::errors::{self, CuResult};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt::Display;
use std::sync::Mutex;

/// Defines an entry point: `entry!(cuName, |argument: Type, ...| body)`, whose body is an [`Answer`]; or several that
/// are the same: `entry!(cuName, cuName_v2, ...)`.
///
/// The function has that name and those arguments in C and runs its body inside [`call`]. It is unsafe to call from
/// Rust, because only C gives arguments that are what the driver API says of them. It must be listed in `symbols.txt`
/// as one that softgpu has; the table in `calls/proc_address.rs` names all of those, so that a name in only one of the
/// two places does not compile.
macro_rules! entry {
    ($name:ident, || $body:expr) => {
        $crate::driver::abi::entry::entry!($name, | | $body);
    };
    ($name:ident, $more:ident, $($rest:tt)*) => {
        $crate::driver::abi::entry::entry!($name, $($rest)*);
        $crate::driver::abi::entry::entry!($more, $($rest)*);
    };
    ($name:ident, |$($argument:ident: $type:ty),* $(,)?| $body:expr) => {
        #[unsafe(no_mangle)]
        pub(in crate::driver) unsafe extern "C" fn $name(
            $($argument: $type),*
        ) -> $crate::driver::abi::errors::CuResult {
            const _: () = $crate::driver::abi::listed::$name();
            $crate::driver::abi::entry::call(stringify!($name), || $body)
        }
    };
}
pub(in crate::driver) use entry;

/// Defines two entry points that do the same, the second with a stream as its last argument, and the twin of each whose
/// default stream is the thread's own: `pair!(cuName, cuName_ptds, cuNameAsync, cuNameAsync_ptsz, stream, |argument:
/// Type, ...| body)`. In the body of the first two the stream is `None`.
macro_rules! pair {
    ($now:ident, $own:ident, $late:ident, $late_own:ident, $stream:ident,
     |$($argument:ident: $type:ty),*| $body:expr) => {
        $crate::driver::abi::entry::entry!($now, $own, |$($argument: $type),*| {
            let $stream = None;
            $body
        });
        $crate::driver::abi::entry::entry!($late, $late_own, |$($argument: $type,)* $stream: Handle| {
            let $stream = Some($stream);
            $body
        });
    };
}
pub(in crate::driver) use pair;

/// Why a call was refused: the code the caller gets and the words that go to the log.
#[derive(Debug)]
pub struct Refusal {
    pub code: CuResult,
    pub message: String,
}

/// Result of the driver's own functions.
pub type Answer<T = ()> = Result<T, Refusal>;

/// A refusal with its reason.
pub fn refuse<T>(code: CuResult, message: impl Display) -> Answer<T> {
    Err(Refusal { code, message: message.to_string() })
}

/// Refuses unless something holds.
pub fn ensure(holds: bool, code: CuResult, message: impl Display) -> Answer {
    if holds { Ok(()) } else { refuse(code, message) }
}

/// Refuses arguments for which something does not hold.
pub fn valid(holds: bool, message: impl Display) -> Answer {
    ensure(holds, errors::INVALID_VALUE, message)
}

/// What may not be there.
pub trait OrRefuse<T> {
    /// It, or a refusal.
    fn or_refuse(self, code: CuResult, message: impl Display) -> Answer<T>;
}

impl<T> OrRefuse<T> for Option<T> {
    fn or_refuse(self, code: CuResult, message: impl Display) -> Answer<T> {
        match self {
            Some(value) => Ok(value),
            None => refuse(code, message),
        }
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static CALLED: Cell<&'static str> = const { Cell::new("") };
}

/// The entry point that this thread is in.
pub fn called() -> &'static str {
    CALLED.get()
}

/// Whether the default stream is the thread's own in the entry point that this thread is in (driver API, "Stream
/// synchronization behavior").
pub fn has_own_default_stream() -> bool {
    called().ends_with("_ptsz") || called().ends_with("_ptds")
}

/// Runs an entry point's body and turns its answer into a code.
///
/// A host function that runs on a stream must not call the driver (driver API, `cuLaunchHostFunc`:
/// "The host function must not make any CUDA API calls ... may return CUDA_ERROR_NOT_PERMITTED"); here it always
/// does. A panic inside is reported as `CUDA_ERROR_UNKNOWN` instead of crossing into C.
pub fn call<T>(name: &'static str, body: impl FnOnce() -> Answer<T>) -> CuResult {
    let refused = if IN_CALLBACK.get() {
        refuse(errors::NOT_PERMITTED, "a host function that runs on a stream must not call the driver")
    } else {
        CALLED.set(name);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or_else(|_| {
            refuse(errors::UNKNOWN, "softgpu itself failed; please report it with the message above")
        })
    };
    let Err(Refusal { code, message }) = refused else {
        return 0;
    };
    if !message.is_empty() {
        log(&format!("{name}: {}: {message}", errors::name(code)));
    }
    code
}

/// Runs a host function of the program; meanwhile this thread may not call the driver.
pub fn callback(body: impl FnOnce()) {
    IN_CALLBACK.set(true);
    body();
    IN_CALLBACK.set(false);
}

static LAST: Mutex<String> = Mutex::new(String::new());
static SAID: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// Writes one line to standard error and keeps it as the last message.
pub fn log(message: &str) {
    write(message, true);
}

/// The same at the debug level: the line is written where `SOFTGPU_DEBUG` is on.
pub fn log_debug(message: &str) {
    write(message, std::env::var("SOFTGPU_DEBUG").is_ok_and(|text| is_on(&text)));
}

fn write(message: &str, shown: bool) {
    if shown && std::env::var_os("SOFTGPU_QUIET").is_none() {
        eprintln!("softgpu: {message}");
    }
    *LAST.lock().unwrap_or_else(|p| p.into_inner()) = message.to_string();
}

/// The last line of the log.
pub fn last_message() -> String {
    LAST.lock().unwrap_or_else(|p| p.into_inner()).clone()
}

/// The answer of an entry point that softgpu does not have: its name is logged once.
pub fn unsupported(name: &'static str) -> CuResult {
    let mut said = SAID.lock().unwrap_or_else(|p| p.into_inner());
    if said.get_or_insert_with(HashSet::new).insert(name) {
        log(&format!("{name}: CUDA_ERROR_NOT_SUPPORTED: softgpu does not have this entry point"));
    }
    errors::NOT_SUPPORTED
}
