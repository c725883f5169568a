//! Moves, selections, and the clocks.

use crate::isa::arithmetic::alu::{Choice, Combine, Select, alu1};
use crate::isa::arithmetic::integer::{CombinePreds, PredLogic};
use crate::isa::arithmetic::scalar::Settings;
use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, lanes, row};
use crate::isa::moves::address::{FrameAddress, Offset};
use crate::isa::moves::vectors::{pack, unpack};
use crate::isa::operands::SymbolValue;
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, Pred, operands};
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::numerics::float::{f, flush};
use crate::ptx::{Operand, Type};

pub const ROWS: &[Row] = &[
    row("mov.pred %p1, !%p2", |c, x| {
        let (d, a) = (c.pred_dst(x.operand(0)?)?, c.pred_src(x.operand(1)?)?);
        c.straight::<CombinePreds>(Class::Integer, PredLogic { how: Combine::And, d, a, b: Pred::TRUE });
        Ok(())
    }),
    row("mov.(b32|WORD) d, (%clock|%clock_hi|%globaltimer_lo|%globaltimer_hi)", clock),
    row("mov.(b64|LONG) d, (%clock64|%globaltimer)", clock),
    row("mov.(b64|LONG) d, (%gridid)", |c, x| {
        let (d, a) = (c.dst(x.operand(0)?, x.ty())?, c.src(x.operand(1)?, Type::U32)?);
        c.append(Class::Move, alu1(|a: u32| u64::from(a))(d, &[a])?);
        Ok(())
    }),
    lanes(
        Class::Move,
        "mov.(b32|WORD) d, (%tid.x|%tid.y|%tid.z|%ntid.x|%ntid.y|%ntid.z|%ctaid.x|%ctaid.y|%ctaid.z|%nctaid.x|\
         %nctaid.y|%nctaid.z|%laneid|%warpid|%nwarpid|%smid|%nsmid|%gridid|%lanemask_eq|%lanemask_le|%lanemask_lt|\
         %lanemask_ge|%lanemask_gt|%total_smem_size|%aggr_smem_size|%dynamic_smem_size|%envreg1|%envreg2|\
         %reserved_smem_offset_begin|%reserved_smem_offset_end|%reserved_smem_offset_0|%reserved_smem_offset_1)",
        |_| Some(alu1(|a: u32| a)),
    ),
    row("mov.ANY d, a", mov),
    row("mov.b16 d, {%rs1, %rs2}", pack),
    row("mov.b32 d, {%rs1, %rs2}", pack),
    row("mov.b32 d, {%rs1, %rs2, %rs3, %rs4}", pack),
    row("mov.b64 d, {%r3, %r4}", pack),
    row("mov.b64 d, {%rs1, %rs2, %rs3, %rs4}", pack),
    row("mov.b16 {%rs1, %rs2}, a", unpack),
    row("mov.b32 {%rs1, %rs2}, a", unpack),
    row("mov.b32 {%rs1, %rs2, %rs3, %rs4}, a", unpack),
    row("mov.b64 {%r3, %r4}, a", unpack),
    row("mov.b64 {%rs1, %rs2, %rs3, %rs4}, a", unpack),
    row("selp.ANY d, a, b, !%p1", selp),
    row("slct.ANY.s32 d, a, b, x", slct),
    row("slct(.ftz)?.ANY.f32 d, a, b, x", slct),
];

fn mov<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (ty, to, from) = (x.ty(), x.operand(0)?, x.operand(1)?);
    let d = c.dst(to, ty)?;
    if let Operand::Var(..) | Operand::Symbol(..) = from
        && let SymbolValue::Frame(offset) = c.symbol_value(from)?
    {
        let a = c.frame_row().read()?;
        match ty.bytes() {
            8 => c.straight::<FrameAddress<u64>>(Class::Move, Offset { d: d.write()?, a, offset }),
            4 => c.straight::<FrameAddress<u32>>(Class::Move, Offset { d: d.write()?, a, offset }),
            _ => return Err(Refusal::new("an address doesn't fit this type")),
        };
        return Ok(());
    }
    // 16-bit reads of special registers keep the lower half
    let narrow = matches!((from, ty.bytes()), (Operand::Special(_), 2));
    let a = c.src(from, if narrow { Type::U32 } else { ty })?;
    let operation = match ty.bytes() {
        8 => alu1(|a: u64| a),
        2 => alu1(|a: u32| a & 0xffff),
        _ => alu1(|a: u32| a),
    };
    c.append(Class::Move, operation(d, &[a])?);
    Ok(())
}

fn selp<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let ty = x.ty();
    let (d, a, b) = (c.dst(x.operand(0)?, ty)?, c.src(x.operand(1)?, ty)?, c.src(x.operand(2)?, ty)?);
    let p = c.pred_src(x.operand(3)?)?;
    if d.wide() {
        c.straight::<Select<u64>>(Class::Move, Choice { d: d.write()?, a: a.read()?, b: b.read()?, p });
    } else {
        c.straight::<Select<u32>>(Class::Move, Choice { d: d.write()?, a: a.read()?, b: b.read()?, p });
    }
    Ok(())
}

/// `slct`: `a` when the last operand, of the second type, is not negative.
fn slct<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let settings = Settings::of(x, x.type_at(1), x.ty());
    let function = match settings.from {
        Type::F32 => |a, b, by: u64, s: Settings| {
            let by = if s.ftz { flush(by as u32) } else { by as u32 };
            if f(by) >= 0.0 { a } else { b }
        },
        _ => |a, b, by: u64, _: Settings| if by as i32 >= 0 { a } else { b },
    };
    c.rare(Class::Move, function, settings, x)?;
    Ok(())
}

/// What a clock counts.
#[derive(Clone, Copy)]
enum Source {
    /// Instructions executed.
    Clock,
    /// Nanoseconds of the host.
    Timer,
}

#[derive(Clone, Copy)]
struct Time {
    d: AnyDst,
    source: Source,
    /// The upper 32 bits are wanted.
    high: bool,
}
operands!(unsafe Source);
operands!(Time { d, source, high });

fn clock<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let Operand::Special(name) = x.operand(1)? else { return Err(Refusal::wrong_type()) };
    let source = if name.starts_with("clock") { Source::Clock } else { Source::Timer };
    let d = c.dst(x.operand(0)?, x.ty())?.write_any();
    c.straight::<ReadClock>(Class::Move, Time { d, source, high: name.ends_with("_hi") });
    Ok(())
}

/// `%clock`, `%globaltimer` and their kin.
struct ReadClock;

impl Op for ReadClock {
    type Data = Time;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Time, mask: u32) {
        let now = match i.source {
            Source::Clock => cx.clock,
            Source::Timer => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                since.map_or(0, |d| d.as_nanos() as u64)
            }
        };
        cx.write_bits(i.d, &[if i.high { now >> 32 } else { now }; 32], mask);
    }
}
