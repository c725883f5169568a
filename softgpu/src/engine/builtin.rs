//! Functions of the device runtime that the driver has: `printf` and `assert`.

use crate::engine::printf::Spec;
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
                    let memories = cx.own_memories();
                    memories.local[row].0[lane] = count;
                    let flags = row * 128 + lane * 4..row * 128 + lane * 4 + 4;
                    if let Some(flags) = memories.local_written.get_mut(flags) {
                        flags.fill(1);
                    }
                }
            }
            Builtin::AssertFail => {
                let (message, file) = (argument(cx, 0), argument(cx, 1));
                let (line, function) = (argument(cx, 2) as u32, argument(cx, 3));
                let message = string(cx, lane, message);
                let (file, function) = (string(cx, lane, file), string(cx, lane, function));
                let message = format!("{file}:{line}: {function}: assertion `{message}` failed");
                cx.fail(Fault::Assert, inst.head.id, lane as u32, &message);
                return;
            }
        }
    }
}

/// Bytes at a generic address as a lane sees it; fewer where the memory ends.
fn read(cx: &mut Cx, address: u64, lane: usize, count: u32) -> Vec<u8> {
    let byte = |n: u32| {
        let at = address.wrapping_add(n.into());
        let (local, shared) = (at.wrapping_sub(LOCAL_WINDOW), at.wrapping_sub(SHARED_WINDOW));
        let memory = cx.launch().memory;
        if local < WINDOW {
            let word = cx.own_memories().local.get((local / 4) as usize)?.0[lane];
            Some(word.to_le_bytes()[(local % 4) as usize])
        } else if shared < WINDOW {
            cx.shared_bytes().get(shared as usize).copied()
        } else if memory.owns(at) {
            let mut byte = [0];
            memory.peek(at, &mut byte);
            Some(byte[0])
        } else {
            None
        }
    };
    (0..count).map_while(byte).collect()
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

/// The arguments of a `printf`: they lie one after the other, each aligned to its size.
struct Values {
    lane: usize,
    at: u64,
}

impl Values {
    fn take(&mut self, cx: &mut Cx, size: u64) -> u64 {
        let at = self.at.next_multiple_of(size);
        self.at = at + size;
        let bytes = read(cx, at, self.lane, size as u32);
        u64::from_le_bytes(std::array::from_fn(|b| bytes.get(b).copied().unwrap_or(0)))
    }

    fn take_long_or_int(&mut self, cx: &mut Cx, long: bool) -> u64 {
        self.take(cx, if long { 8 } else { 4 })
    }

    /// The text of one conversion.
    fn convert(&mut self, cx: &mut Cx, spec: &Spec, conversion: char) -> String {
        match conversion {
            '%' => "%".to_string(),
            'd' | 'i' => {
                let v = self.take_long_or_int(cx, spec.long);
                let v = if spec.long { v as i64 } else { i64::from(v as i32) };
                spec.integer(v.unsigned_abs().to_string(), spec.sign(v < 0))
            }
            'u' | 'x' | 'X' | 'o' => {
                let v = self.take_long_or_int(cx, spec.long);
                let digits = match conversion {
                    'u' => v.to_string(),
                    'x' if spec.alternate => format!("0x{v:x}"),
                    'x' => format!("{v:x}"),
                    'X' => format!("{v:X}"),
                    _ => format!("{v:o}"),
                };
                spec.integer(digits, "")
            }
            'c' => spec.padded(char::from(self.take(cx, 4) as u8).to_string()),
            's' => {
                let address = self.take(cx, 8);
                let s = string(cx, self.lane, address);
                spec.padded(s.chars().take(spec.precision.unwrap_or(usize::MAX)).collect())
            }
            'p' => spec.padded(format!("{:#x}", self.take(cx, 8))),
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A' => spec.real(f64::from_bits(self.take(cx, 8)), conversion),
            other => format!("%{other}"),
        }
    }
}

/// The text of a `printf`.
fn formatted(cx: &mut Cx, lane: usize, format: u64, values: u64) -> String {
    let format = string(cx, lane, format);
    let mut rest = format.chars().peekable();
    let mut values = Values { lane, at: values };
    let mut out = String::new();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let spec = Spec::parse(&mut rest, || values.take(cx, 4) as usize);
        let Some(conversion) = rest.next() else {
            break;
        };
        out += &values.convert(cx, &spec, conversion);
    }
    out
}
