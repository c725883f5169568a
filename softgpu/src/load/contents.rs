//! What the variables of a module hold, and which of them a function uses.

use crate::isa::decoder::Symbol;
use crate::kernel::LoadError;
use crate::machine::cx::CODE_WINDOW;
use crate::ptx::{self, Init, Operand, Space, Type};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a function uses of its module.
#[derive(Default)]
pub struct Uses {
    /// Module-level shared variables it names.
    pub direct: Vec<usize>,
    /// Functions it names.
    pub functions: Vec<usize>,
    pub calls: bool,
    /// It calls functions by their addresses.
    pub indirect: bool,
}

/// Why a function can't run, given those that are refused: the first of them that it may come to.
pub fn refusal<'a>(
    n: usize,
    uses: &[Uses],
    refused: &'a BTreeMap<usize, LoadError>,
    tree: &[&ptx::Function<'_>],
) -> Option<&'a LoadError> {
    if refused.is_empty() {
        return None;
    }
    let (mut seen, mut pending) = (HashSet::from([n]), vec![n]);
    while let Some(at) = pending.pop() {
        let by_address = refused.iter().find(|(n, _)| uses[at].indirect && !tree[**n].is_entry);
        if let Some(error) = refused.get(&at).or(by_address.map(|(_, error)| error)) {
            return Some(error);
        }
        pending.extend(uses[at].functions.iter().filter(|n| seen.insert(**n)));
    }
    None
}

/// What each function uses of the module.
pub fn module_uses(tree: &ptx::Module<'_>, bodies: &[&ptx::Function<'_>], numbers: &HashMap<&str, u32>) -> Vec<Uses> {
    let shared: HashMap<&str, usize> =
        tree.variables.iter().enumerate().filter(|(_, v)| v.space == Space::Shared).map(|(n, v)| (v.name, n)).collect();
    bodies
        .iter()
        .map(|f| {
            let mut named = HashSet::new();
            let mut uses = Uses::default();
            for i in &f.code {
                let mut pending: Vec<&Operand<'_>> = i.operands.iter().collect();
                while let Some(o) = pending.pop() {
                    match o {
                        Operand::Symbol(name, _) => {
                            uses.functions.extend(numbers.get(name).map(|n| *n as usize));
                            if let Some(&n) = shared.get(name)
                                && named.insert(n)
                            {
                                uses.direct.push(n);
                            }
                        }
                        Operand::Address(base, _) => pending.push(base),
                        Operand::Vector(list) | Operand::List(list) => pending.extend(list),
                        _ => {}
                    }
                }
                if i.op == "call" {
                    // a call through a register names its prototype behind the arguments
                    let callee = i.operands.iter().find(|o| !matches!(o, Operand::List(_)));
                    let builtin = matches!(
                        callee,
                        Some(Operand::Symbol(name, _)) if !numbers.contains_key(name)
                    );
                    uses.calls |= !builtin;
                    uses.indirect |= !matches!(callee, Some(Operand::Symbol(..)));
                }
            }
            uses
        })
        .collect()
}

/// The initial bytes of a variable.
pub fn image(v: &ptx::Variable<'_>, symbols: &HashMap<&str, Symbol>) -> Result<Vec<u8>, LoadError> {
    let size = v.ty.bytes() as usize;
    let mut out = vec![0; v.bytes() as usize];
    let mut at = 0;
    for init in &v.init {
        let bits: u64 = match init {
            Init::Integer(n) if v.ty == Type::F32 => u64::from((*n as f32).to_bits()),
            Init::Integer(n) if v.ty == Type::F64 => (*n as f64).to_bits(),
            Init::Integer(n) => *n as u64,
            Init::Single(bits) if v.ty == Type::F64 => f64::from(f32::from_bits(*bits)).to_bits(),
            Init::Single(bits) => u64::from(*bits),
            Init::Double(bits) if v.ty == Type::F32 => u64::from((f64::from_bits(*bits) as f32).to_bits()),
            Init::Double(bits) => *bits,
            Init::Address { symbol, offset, mask } => {
                let base = match symbols.get(symbol) {
                    Some(Symbol::Address(a)) => *a,
                    Some(Symbol::Function(n)) => CODE_WINDOW + u64::from(*n) * 16,
                    Some(Symbol::Shared(_)) | None => {
                        return Err(refuse(v.line, format!("'{symbol}' has no address at load")));
                    }
                };
                let value = base.wrapping_add(*offset as u64);
                match mask {
                    // 0xFF00(symbol): that byte of the address
                    Some(m) if *m != 0 => (value & m) >> m.trailing_zeros(),
                    _ => value,
                }
            }
        };
        if at + size > out.len() {
            return Err(refuse(v.line, format!("'{}' has more initial values than elements", v.name)));
        }
        out[at..at + size].copy_from_slice(&bits.to_le_bytes()[..size]);
        at += size;
    }
    Ok(out)
}

/// Refuses a text because of one of its lines; 0 for the text as a whole.
pub fn refuse(line: u32, message: impl Into<String>) -> LoadError {
    LoadError { line, text: String::new(), message: message.into() }
}
