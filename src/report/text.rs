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

/// `43,012,802`.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
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
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(duration(3.654), "3.7 s");
        assert_eq!(duration(52.3), "52 s");
        assert_eq!(duration(250.0), "4 min 10 s");
        assert_eq!(duration(16_430.0), "4 h 34 min");
        assert_eq!(thousands(43_012_802), "43,012,802");
        assert_eq!(thousands(999), "999");
        assert_eq!(percent(0.99987), "99.99 %");
        assert_eq!(percent(0.99999), "> 99.99 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.123), "12.3 %");
        assert_eq!(percent(1e-7), "< 0.01 %");
        assert_eq!(count(1, "error", "errors"), "1 error");
    }
}
