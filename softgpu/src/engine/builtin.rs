//! Functions of the device runtime that the driver has: `printf` and `assert`.

use crate::kernel::Fault;
use crate::machine::cx::{Cx, LOCAL_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::program::{Builtin, CallSite};
use crate::machine::warp::Frame;

/// Longest string that `%s` prints.
const LONGEST: usize = 4096;

/// Calls a function for the lanes of a mask, one after the other.
pub fn call(cx: &mut Cx, inst: &Inst, which: Builtin, site: &CallSite, frame: &Frame, mask: u32) {
    for lane in (0..32).filter(|l| mask >> l & 1 != 0) {
        let argument = |cx: &mut Cx, n: usize| -> u64 {
            let Some(slot) = site.arguments.get(n) else {
                return 0;
            };
            let at = LOCAL_WINDOW + u64::from(frame.local + slot.offset);
            let bytes = read(cx, at, lane, slot.bytes.min(8));
            u64::from_le_bytes(std::array::from_fn(|b| bytes.get(b).copied().unwrap_or(0)))
        };
        match which {
            Builtin::Vprintf => {
                let (format, values) = (argument(cx, 0), argument(cx, 1));
                let text = formatted(cx, lane, format, values);
                let count = text.len() as u32;
                let block = cx.block().linear;
                let launch = cx.launch();
                launch.printed.lock().unwrap_or_else(|p| p.into_inner()).push((block, text));
                if let Some(slot) = site.results.first() {
                    let row = ((frame.local + slot.offset) / 4) as usize;
                    let warp = cx.warp();
                    warp.local[row].0[lane] = count;
                    if let Some(flags) = warp.local_written.get_mut(row * 128 + lane * 4..row * 128 + lane * 4 + 4) {
                        flags.fill(1);
                    }
                }
            }
            Builtin::AssertFail => {
                let (message, file) = (argument(cx, 0), argument(cx, 1));
                let (line, function) = (argument(cx, 2) as u32, argument(cx, 3));
                let message = string(cx, lane, message);
                let (file, function) = (string(cx, lane, file), string(cx, lane, function));
                let place = cx.whereabouts(inst.id, lane as u32);
                cx.fault(Fault::Assert(format!("{place}: {file}:{line}: {function}: assertion `{message}` failed")));
                return;
            }
        }
    }
}

/// Bytes at a generic address as a lane sees it; fewer where the memory ends.
fn read(cx: &mut Cx, address: u64, lane: usize, count: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for n in 0..u64::from(count) {
        let at = address.wrapping_add(n);
        let local = at.wrapping_sub(LOCAL_WINDOW);
        let shared = at.wrapping_sub(SHARED_WINDOW);
        let byte = unsafe {
            if local < WINDOW {
                if local >= cx.local_bytes {
                    break;
                }
                let base = cx.local.cast::<u8>();
                base.add((local / 4 * 128 + local % 4) as usize + lane * 4).read()
            } else if shared < WINDOW {
                if shared >= cx.shared_bytes {
                    break;
                }
                cx.shared.add(shared as usize).read()
            } else if at.wrapping_sub(cx.arena) < cx.arena_bytes {
                cx.host(at).read()
            } else {
                break;
            }
        };
        out.push(byte);
    }
    out
}

fn string(cx: &mut Cx, lane: usize, address: u64) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < LONGEST {
        match read(cx, address + bytes.len() as u64, lane, 1).first() {
            Some(&b) if b != 0 => bytes.push(b),
            _ => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The text of a `printf`: arguments lie one after the other, each aligned to its size.
fn formatted(cx: &mut Cx, lane: usize, format: u64, values: u64) -> String {
    let format: Vec<char> = string(cx, lane, format).chars().collect();
    let mut out = String::new();
    let mut at = values;
    let mut i = 0;
    while i < format.len() {
        if format[i] != '%' {
            out.push(format[i]);
            i += 1;
            continue;
        }
        i += 1;
        let mut spec = Spec::default();
        while let Some(c) = format.get(i) {
            match c {
                '-' => spec.left = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '#' => spec.alternate = true,
                '0' => spec.zero = true,
                _ => break,
            }
            i += 1;
        }
        let mut take = |cx: &mut Cx, size: u64| -> u64 {
            at = at.next_multiple_of(size);
            let bytes = read(cx, at, lane, size as u32);
            at += size;
            u64::from_le_bytes(std::array::from_fn(|b| bytes.get(b).copied().unwrap_or(0)))
        };
        let mut number = |cx: &mut Cx, i: &mut usize| -> usize {
            if format.get(*i) == Some(&'*') {
                *i += 1;
                return take(cx, 4) as usize;
            }
            let mut n = 0;
            while let Some(d) = format.get(*i).and_then(|c| c.to_digit(10)) {
                n = n * 10 + d as usize;
                *i += 1;
            }
            n
        };
        spec.width = number(cx, &mut i).min(1024);
        if format.get(i) == Some(&'.') {
            i += 1;
            spec.precision = Some(number(cx, &mut i).min(1024));
        }
        let mut long = 0;
        while let Some('l' | 'h' | 'z' | 'j' | 't') = format.get(i) {
            if format[i] != 'h' {
                long += 1;
            }
            i += 1;
        }
        let Some(&conversion) = format.get(i) else {
            break;
        };
        i += 1;
        let text = match conversion {
            '%' => "%".to_string(),
            'd' | 'i' => {
                let v = if long > 0 { take(cx, 8) as i64 } else { i64::from(take(cx, 4) as i32) };
                spec.integer(v.unsigned_abs().to_string(), v < 0)
            }
            'u' | 'x' | 'X' | 'o' => {
                let v = if long > 0 { take(cx, 8) } else { take(cx, 4) };
                let digits = match conversion {
                    'u' => v.to_string(),
                    'x' if spec.alternate => format!("0x{v:x}"),
                    'x' => format!("{v:x}"),
                    'X' => format!("{v:X}"),
                    _ => format!("{v:o}"),
                };
                spec.plain_integer(digits)
            }
            'c' => spec.padded(char::from(take(cx, 4) as u8).to_string()),
            's' => {
                let address = take(cx, 8);
                let s = string(cx, lane, address);
                spec.padded(match spec.precision {
                    Some(p) => s.chars().take(p).collect(),
                    None => s,
                })
            }
            'p' => {
                let v = take(cx, 8);
                spec.padded(format!("{v:#x}"))
            }
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A' => {
                let v = f64::from_bits(take(cx, 8));
                spec.real(v, conversion)
            }
            other => format!("%{other}"),
        };
        out += &text;
    }
    out
}

/// Flags, width and precision of a conversion.
#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn padded(&self, s: String) -> String {
        let width = self.width;
        if self.left { format!("{s:<width$}") } else { format!("{s:>width$}") }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    fn integer(&self, digits: String, negative: bool) -> String {
        let digits = match self.precision {
            Some(p) => format!("{digits:0>p$}"),
            None => digits,
        };
        self.with_sign(self.sign(negative), digits, self.zero && self.precision.is_none())
    }

    fn plain_integer(&self, digits: String) -> String {
        let digits = match self.precision {
            Some(p) => format!("{digits:0>p$}"),
            None => digits,
        };
        self.with_sign("", digits, self.zero && self.precision.is_none())
    }

    fn with_sign(&self, sign: &str, digits: String, zero: bool) -> String {
        if zero && !self.left {
            let width = self.width.saturating_sub(sign.len());
            return format!("{sign}{digits:0>width$}");
        }
        self.padded(format!("{sign}{digits}"))
    }

    fn real(&self, v: f64, conversion: char) -> String {
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
