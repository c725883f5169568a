//! Numbers as people read them, and text as browsers do.

/// `3.6 s`, `52 s`, `4 min 10 s`, `4 h 34 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=9 => format!("{seconds:.1} s"),
        10..=99 => format!("{whole} s"),
        100..=5999 => format!("{} min {} s", whole / 60, whole % 60),
        _ => {
            let minutes = (seconds / 60.0).round() as u64;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

/// A duration that is an estimate: `52 s`, `14 min`, `4 h 34 min`.
pub fn estimate(seconds: f64) -> String {
    if (100.0..6000.0).contains(&seconds) { format!("{:.0} min", seconds / 60.0) } else { duration(seconds) }
}

/// `43,012,802`.
pub fn thousands(n: usize) -> String {
    indicatif::HumanCount(n as u64).to_string()
}

/// A probability for a narrow column: `> 99.99 %`, `12.3 %`, `0.04 %`, `< 0.01 %`; never rounded up to 100.
pub fn percent(p: f64) -> String {
    let v = 100.0 * p;
    match v {
        _ if p >= 1.0 => "100 %".into(),
        v if v >= 99.995 => "> 99.99 %".into(),
        v if v >= 99.95 => format!("{:.2} %", v),
        v if v >= 10.0 => format!("{v:.1} %"),
        v if v >= 0.01 => format!("{v:.2} %"),
        _ => "< 0.01 %".into(),
    }
}

/// A share of a count with two decimals, `99.64 %`; 100 % only where all are meant.
pub fn percent_of(n: usize, all: usize) -> String {
    let share = 100.0 * n as f64 / all.max(1) as f64;
    match n {
        n if n == all && all > 0 => "100 %".into(),
        _ => format!("{:.2} %", share.min(99.99)),
    }
}

/// `1 error`, `42 errors`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// Text as HTML, fit for attributes too.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
