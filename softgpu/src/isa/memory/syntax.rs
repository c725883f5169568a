//! Loads, stores, atomics, fences.
//!
//! PTX ISA, "Data Movement and Conversion Instructions": cache operators and eviction priorities change no result.

use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, placed, row};
use crate::isa::flow::Nothing;
use crate::isa::memory::atomics::{self, Atomic, Discard, Fence, Updating};
use crate::isa::memory::data::{Elements, Loading, Storing};
use crate::isa::memory::load::{Load, ParamLoad};
use crate::isa::memory::local::{LocalLoad, LocalStore};
use crate::isa::memory::place::Address;
use crate::isa::memory::store::Store;
use crate::isa::operands::SymbolValue;
use crate::machine::access::*;
use crate::machine::op::draft;
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::ptx::{Operand, Space, Type};

/// A row of atomics that give the old value, and one of those that don't.
macro_rules! atomics {
    ($operation:literal, $operands:literal) => {
        &[
            row(
                concat!(
                    "atom(.relaxed|.acquire|.release|.acq_rel)?(.SCOPE)?(.global|.SHARED)?",
                    $operation,
                    " d, [a], ",
                    $operands
                ),
                atomic,
            ),
            row(concat!("red(.relaxed|.release)?(.SCOPE)?(.global|.SHARED)?", $operation, " [a], ", $operands), atomic),
        ]
    };
}

pub const ROWS: &[Row] = &[
    row("ld(.weak)?(.global)?(.ca|.cg|.cs|.lu|.cv|.EVICT)?(.PREFETCH)?(.L2::cache_hint)?.ELEMENTS v, [a]", load),
    row("ld(.weak)?.global(.ca|.cg|.cs|.EVICT)?.nc(.PREFETCH)?(.L2::cache_hint)?.ELEMENTS v, [a]", load),
    row("ld(.weak)?.(SHARED|local|const)(.ca|.cg|.cs|.lu|.cv)?.ELEMENTS v, [a]", load),
    row("ld(.weak)?.(param|param::entry|param::func).ELEMENTS v, [a]", load),
    row("ld.volatile(.global)?(.PREFETCH)?(.L2::cache_hint)?.ELEMENTS v, [a]", load),
    row("ld.volatile.(SHARED|local|const|param).ELEMENTS v, [a]", load),
    row("ld(.mmio)?.(relaxed|acquire).SCOPE(.global)?(.EVICT)?(.PREFETCH)?(.L2::cache_hint)?.ELEMENTS v, [a]", load),
    row("ld.(relaxed|acquire).SCOPE.SHARED.ELEMENTS v, [a]", load),
    row("ldu(.global)?(.PREFETCH)?.ELEMENTS v, [a]", load),
    row("st(.weak)?(.global)?(.wb|.cg|.cs|.wt|.EVICT)?(.L2::cache_hint)?.ELEMENTS [a], v", store),
    row("st(.weak)?.(SHARED|local)(.wb|.cg|.cs|.wt)?.ELEMENTS [a], v", store),
    row("st(.weak)?.(param|param::func).ELEMENTS [a], v", store),
    row("st.volatile(.global)?(.L2::cache_hint)?.ELEMENTS [a], v", store),
    row("st.volatile.(SHARED|local).ELEMENTS [a], v", store),
    row("st(.mmio)?.(relaxed|release).SCOPE(.global)?(.EVICT)?(.L2::cache_hint)?.ELEMENTS [a], v", store),
    row("st.(relaxed|release).SCOPE.SHARED.ELEMENTS [a], v", store),
    row("membar.(cta|gl|sys)", fence),
    row("fence(.sc|.acq_rel)?.SCOPE", fence),
    row("fence.(acquire|release).SCOPE", fence).since(90),
    row("prefetch(.global)?.(L1|L2|L2::evict_last|L2::evict_normal) [a]", hint),
    row("prefetch.local.(L1|L2) [a]", hint),
    row("prefetchu.L1 [a]", hint),
    row("applypriority(.global)?.L2::evict_normal [a], 128", hint),
    row("discard(.global)?.L2 [a], 128", |c, x| {
        let at = c.address(x.operand(0)?)?;
        c.straight::<Discard>(Class::LoadStore, at);
        Ok(())
    }),
];

pub const ATOMICS: &[&[Row]] = &[
    atomics!(".(add|min|max)(.L2::cache_hint)?.(WORD|LONG)", "b"),
    atomics!(".add(.L2::cache_hint)?.(f32|f64)", "b"),
    atomics!(".add.noftz(.L2::cache_hint)?.(HALF|HALVES)", "b"),
    atomics!(".(and|or|xor)(.L2::cache_hint)?.(b32|b64)", "b"),
    atomics!(".(inc|dec)(.L2::cache_hint)?.u32", "b"),
    atomics!(".exch(.L2::cache_hint)?.(b32|b64|WORD|u64|f32)", "b"),
    atomics!(".cas(.L2::cache_hint)?.(b16|b32|b64|WORD|u64)", "b, c"),
];

/// `$op` in a space, for elements of a size and as many as there are; `None` where there is none.
macro_rules! in_space {
    ($op:ident, $space:expr, $size:expr, $count:expr, $data:expr) => {
        match $space {
            GLOBAL => in_space!(@$op GLOBAL, $size, $count, $data),
            SHARED => in_space!(@$op SHARED, $size, $count, $data),
            GENERIC => in_space!(@$op GENERIC, $size, $count, $data),
            _ => None,
        }
    };
    (@$op:ident $space:ident, $size:expr, $count:expr, $data:expr) => {
        match ($size, $count) {
            (1, 1) => Some(draft::<$op<$space, 1, 1>>($data)),
            (1, 2) => Some(draft::<$op<$space, 1, 2>>($data)),
            (1, 4) => Some(draft::<$op<$space, 1, 4>>($data)),
            (2, 1) => Some(draft::<$op<$space, 2, 2>>($data)),
            (2, 2) => Some(draft::<$op<$space, 2, 4>>($data)),
            (2, 4) => Some(draft::<$op<$space, 2, 8>>($data)),
            (4, 1) => Some(draft::<$op<$space, 4, 4>>($data)),
            (4, 2) => Some(draft::<$op<$space, 4, 8>>($data)),
            (4, 4) => Some(draft::<$op<$space, 4, 16>>($data)),
            (8, 1) => Some(draft::<$op<$space, 8, 8>>($data)),
            (8, 2) => Some(draft::<$op<$space, 8, 16>>($data)),
            _ => None,
        }
    };
}

/// The space among the modifiers.
fn space(x: &Found<'_, '_>) -> u8 {
    let spaces = ["global", "const", "shared", "shared::cta", "local", "param", "param::entry", "param::func"];
    match x.one_of(&spaces) {
        Some("global" | "const") => GLOBAL,
        Some("shared" | "shared::cta") => SHARED,
        Some("local") => LOCAL,
        Some(_) => PARAM,
        None => GENERIC,
    }
}

/// How an access orders others; in a scope of one block it orders nothing between blocks.
fn order(x: &Found<'_, '_>) -> Order {
    match x.one_of(&["volatile", "relaxed", "acquire", "release", "acq_rel"]) {
        Some("release" | "acq_rel") if x.one_of(&["cta", "cluster"]).is_none() => Order::Release,
        Some(_) => Order::Strong,
        None => Order::Weak,
    }
}

/// The elements of an operand, as many as the modifiers say, and the bytes of each: at most 16 in all.
fn elements<'b, 'a>(x: &Found<'_, 'a>, o: &'b Operand<'a>) -> Decoded<(&'b [Operand<'a>], u32)> {
    let list = if let Operand::Vector(list) = o { list } else { std::slice::from_ref(o) };
    let count = x.one_of(&["v2", "v4"]).map_or(1, |word| if word == "v2" { 2 } else { 4 });
    let size = x.ty().bytes();
    if list.len() != count {
        return Err(Refusal::new("the vector doesn't fit '.v2' or '.v4'"));
    }
    if size * count as u32 <= 16 { Ok((list, size)) } else { Err(Refusal::wrong_type()) }
}

fn load<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (ty, (elements, size)) = (x.ty(), elements(x, x.operand(0)?)?);
    let at = c.address(x.operand(1)?)?;
    let (mut to, mut narrow) = ([None; 4], false);
    for (to, e) in to.iter_mut().zip(elements) {
        let (register, have) = c.dst_wide(e, ty)?;
        *to = register.map(Register::write_any);
        narrow |= register.is_some() && have.bytes() == 2;
    }
    let count = elements.len();
    let elements = Elements { bytes: size as u8, count: count as u8, signed: ty.signed(), narrow };
    let data = Loading { at, to, elements };
    let draft = match space(x) {
        PARAM if c.function.is_entry && !c.in_frame(x.operand(1)?) => Some(draft::<ParamLoad>(data)),
        LOCAL | PARAM => Some(draft::<LocalLoad>(data)),
        space => in_space!(Load, space, size, count, data),
    };
    c.append(Class::LoadStore, draft.ok_or_else(Refusal::wrong_type)?).order = order(x);
    Ok(())
}

fn store<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (ty, (elements, size)) = (x.ty(), elements(x, x.operand(1)?)?);
    let at = c.address(x.operand(0)?)?;
    let mut from = [None; 4];
    for (from, e) in from.iter_mut().zip(elements) {
        *from = Some(c.src_wide(e, ty)?.read_any());
    }
    c.releases |= order(x) == Order::Release;
    let data = Storing { at, from, bytes: size as u8 };
    let draft = match space(x) {
        PARAM if !c.in_frame(x.operand(0)?) => return Err(Refusal::new("parameters can't be written")),
        LOCAL | PARAM => Some(draft::<LocalStore>(data)),
        space => in_space!(Store, space, size, elements.len(), data),
    };
    c.append(Class::LoadStore, draft.ok_or_else(Refusal::wrong_type)?).order = order(x);
    Ok(())
}

fn atomic<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let ty = x.ty();
    match ty {
        Type::F16 => c.needs_sm(70, "this atomic")?,
        Type::Bf16 | Type::Bf16x2 => c.needs_sm(90, "this atomic")?,
        _ => {}
    }
    let word = x.one_of(&["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"]).unwrap_or_default();
    let update = atomics::update(word, ty).ok_or_else(Refusal::wrong_type)?;
    let (mut d, mut first) = (None, 0);
    if x.i.op == "atom" {
        d = c.dst_or_sink(x.operand(0)?, ty)?.map(Register::write_any);
        first = 1;
    }
    let at = c.address(x.operand(first)?)?;
    let b = c.src(x.operand(first + 1)?, ty)?.read_any();
    let third = if word == "cas" { Some(c.src(x.operand(first + 2)?, ty)?.read_any()) } else { None };
    c.releases |= order(x) == Order::Release;
    let data = Updating { update, at, d, b, c: third };
    let p = match (space(x), ty.bytes()) {
        (GLOBAL, 2) => c.straight::<Atomic<GLOBAL, 2>>(Class::Atomic, data),
        (GLOBAL, 4) => c.straight::<Atomic<GLOBAL, 4>>(Class::Atomic, data),
        (GLOBAL, _) => c.straight::<Atomic<GLOBAL, 8>>(Class::Atomic, data),
        (SHARED, 2) => c.straight::<Atomic<SHARED, 2>>(Class::Atomic, data),
        (SHARED, 4) => c.straight::<Atomic<SHARED, 4>>(Class::Atomic, data),
        (SHARED, _) => c.straight::<Atomic<SHARED, 8>>(Class::Atomic, data),
        (_, 2) => c.straight::<Atomic<GENERIC, 2>>(Class::Atomic, data),
        (_, 4) => c.straight::<Atomic<GENERIC, 4>>(Class::Atomic, data),
        (_, _) => c.straight::<Atomic<GENERIC, 8>>(Class::Atomic, data),
    };
    p.order = order(x).max(Order::Strong);
    Ok(())
}

fn fence<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    // a cluster is one block here
    let device = x.one_of(&["cta", "cluster"]).is_none();
    c.straight::<Fence>(Class::Other, device);
    c.releases |= device;
    Ok(())
}

/// `prefetch`, `prefetchu`, `applypriority`: checked, and without effect.
fn hint<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    c.address(x.operand(0)?)?;
    c.straight::<Nothing>(Class::Other, ());
    Ok(())
}

impl<'a> Decoder<'a> {
    /// An address operand.
    pub fn address(&mut self, o: &Operand<'a>) -> Decoded<Address> {
        let Operand::Address(base, offset) = o else {
            return Err(Refusal::new("an address in [ ] is wanted"));
        };
        let (register, more) = match &**base {
            Operand::Reg(r) => match self.reg_type(*r) {
                ty if matches!(ty.bytes(), 4 | 8) => (self.src(base, ty)?, 0),
                _ => return Err(Refusal::new("an address register must have 32 or 64 bits")),
            },
            Operand::Integer(v) => (self.long(0), *v as i64),
            named => match self.symbol_value(named)? {
                SymbolValue::Fixed(v) => (self.long(0), v as i64),
                SymbolValue::Frame(v) => (self.frame_row(), v as i64),
            },
        };
        Ok(Address { base: register.read_any(), offset: more.wrapping_add(*offset) })
    }

    /// Whether an address names a parameter of a device function or of a call: local memory of the frame.
    fn in_frame(&mut self, o: &Operand<'a>) -> bool {
        let Operand::Address(base, _) = o else { return false };
        matches!(**base, Operand::Var(..)) && matches!(self.symbol_value(base), Ok(SymbolValue::Frame(_)))
    }

    /// Where each variable of the function lies.
    pub fn place_variables(&mut self, function: usize) {
        let mut local = 0u64;
        let mut param = 0u64;
        for (id, v) in self.function.vars.iter().enumerate() {
            let is_kernel_param = self.function.is_entry && self.function.params.contains(&(id as u32));
            let offset = match v.space {
                Space::Shared => u64::from(self.shared.inner.get(&(function, id)).copied().unwrap_or(0)),
                Space::Param if is_kernel_param => {
                    let at = placed(param, v);
                    param = at + v.bytes();
                    at
                }
                _ => {
                    // words of local memory are handled whole when arguments are copied
                    let at = placed(local, v).next_multiple_of(4);
                    local = at + v.bytes();
                    at
                }
            };
            self.var_offsets.push(offset);
        }
        self.local_bytes = local.next_multiple_of(16) as u32;
    }
}
