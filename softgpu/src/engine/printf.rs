//! Conversions of `printf`, as C writes them.

use std::iter::Peekable;
use std::str::Chars;

/// Greatest width and precision.
const MOST: usize = 1024;

/// Flags, width and precision of a conversion.
#[derive(Default)]
pub struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    pub alternate: bool,
    zero: bool,
    width: usize,
    pub precision: Option<usize>,
    /// The argument has 64 bits.
    pub long: bool,
}

impl Spec {
    /// Reads what stands between the `%` and the conversion; `star` gives the next argument, for `*`.
    pub fn parse(rest: &mut Peekable<Chars<'_>>, mut star: impl FnMut() -> usize) -> Spec {
        let mut spec = Spec::default();
        while let Some(c) = rest.next_if(|c| "-+ #0".contains(*c)) {
            match c {
                '-' => spec.left = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '#' => spec.alternate = true,
                _ => spec.zero = true,
            }
        }
        let mut number = |rest: &mut Peekable<Chars<'_>>| {
            if rest.next_if_eq(&'*').is_some() {
                return star().min(MOST);
            }
            let mut n = 0;
            while let Some(d) = rest.peek().and_then(|c| c.to_digit(10)) {
                n = (n * 10 + d as usize).min(MOST);
                rest.next();
            }
            n
        };
        spec.width = number(rest);
        if rest.next_if_eq(&'.').is_some() {
            spec.precision = Some(number(rest));
        }
        while let Some(c) = rest.next_if(|c| "lhzjt".contains(*c)) {
            spec.long |= c != 'h';
        }
        spec
    }

    /// A text in the conversion's width.
    pub fn padded(&self, s: String) -> String {
        let width = self.width;
        if self.left { format!("{s:<width$}") } else { format!("{s:>width$}") }
    }

    /// What stands for the sign.
    pub fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    /// Digits of a whole number with its sign.
    pub fn integer(&self, digits: String, sign: &str) -> String {
        let digits = match self.precision {
            Some(p) => format!("{digits:0>p$}"),
            None => digits,
        };
        self.with_sign(sign, digits, self.zero && self.precision.is_none())
    }

    fn with_sign(&self, sign: &str, digits: String, zero: bool) -> String {
        if zero && !self.left {
            let width = self.width.saturating_sub(sign.len());
            return format!("{sign}{digits:0>width$}");
        }
        self.padded(format!("{sign}{digits}"))
    }

    /// A real number.
    pub fn real(&self, v: f64, conversion: char) -> String {
        let sign = self.sign(v.is_sign_negative());
        let upper = conversion.is_ascii_uppercase();
        let x = v.abs();
        let digits = if x.is_nan() {
            "nan".to_string()
        } else if x.is_infinite() {
            "inf".to_string()
        } else {
            let precision = self.precision.unwrap_or(6);
            match conversion.to_ascii_lowercase() {
                'f' => format!("{x:.precision$}"),
                'e' => exponential(x, precision),
                _ => general(x, precision.max(1), self.alternate),
            }
        };
        let digits = if upper { digits.to_uppercase() } else { digits };
        self.with_sign(sign, digits, self.zero && x.is_finite())
    }
}

/// C's `%e`: an exponent of at least two digits with a sign.
fn exponential(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(d) => ('-', d),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// C's `%g`.
fn general(x: f64, precision: usize, keep_zeros: bool) -> String {
    if x == 0.0 {
        return "0".to_string();
    }
    let scientific = exponential(x, precision - 1);
    let exponent: i32 = scientific.split_once('e').and_then(|e| e.1.parse().ok()).unwrap_or(0);
    let strip = |s: &str| -> String {
        if keep_zeros || !s.contains('.') {
            return s.to_string();
        }
        s.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    if exponent < -4 || exponent >= precision as i32 {
        match scientific.split_once('e') {
            Some((mantissa, e)) => format!("{}e{e}", strip(mantissa)),
            None => scientific,
        }
    } else {
        let after = (precision as i32 - 1 - exponent).max(0) as usize;
        strip(&format!("{x:.after$}"))
    }
}
