//! Instructions in which the lanes of a warp see each other. Their mask holds the members that execute together.

use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, row};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Pred, PredDst, Register, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::{Isa, Lane, lanes};
use crate::ptx::{Operand, Type};
use crate::watch;
use std::marker::PhantomData;

pub const ROWS: &[Row] = &[
    row("shfl.sync.(up|down|bfly|idx).b32 %r3, %r4, %r5, %r6, %r7", shfl),
    row("shfl.sync.(up|down|bfly|idx).b32 %r3|%p1, %r4, %r5, %r6, %r7", shfl),
    row("vote.sync.(all|any|uni).pred %p1, !%p2, %r4", |c, x| {
        let how = match x.one_of(&["all", "any"]) {
            Some("all") => Agreement::All,
            Some(_) => Agreement::Any,
            None => Agreement::Uniform,
        };
        let (p, from) = (c.pred_dst(x.operand(0)?)?, c.pred_src(x.operand(1)?)?);
        c.members::<Vote>(x, 2, Poll { how, p, from })
    }),
    row("vote.sync.ballot.b32 %r3, !%p2, %r4", |c, x| {
        let (d, from) = (c.dst(x.operand(0)?, Type::B32)?.write()?, c.pred_src(x.operand(1)?)?);
        c.members::<Ballot>(x, 2, Voters { d, from })
    }),
    row("match.any.sync.(b32|b64) %r3, a, %r4", matching),
    row("match.all.sync.(b32|b64) %r3, a, %r4", matching),
    row("match.all.sync.(b32|b64) %r3|%p1, a, %r4", matching),
    row("redux.sync.(add|min|max).WORD d, a, %r4", redux),
    row("redux.sync.(and|or|xor).b32 d, a, %r4", redux),
    row("elect.sync %r3|%p1, %r4", |c, x| {
        let (d, p) = c.pair(x.operand(0)?)?;
        c.members::<Elect>(x, 1, Elected { d, p })
    }),
    row("activemask.b32 d", |c, x| {
        let d = c.dst(x.operand(0)?, Type::B32)?.write()?;
        c.straight::<ActiveMask>(Class::Move, d);
        Ok(())
    }),
    row("(bar|barrier).warp.sync %r4", |c, x| {
        let members = c.src(x.operand(0)?, Type::B32)?.read()?;
        c.together::<SyncWarp>(Class::Barrier, members, ());
        Ok(())
    }),
];

impl<'a> Decoder<'a> {
    /// A destination `d|p` whose `d` may be `_`, or one without a predicate.
    fn pair(&mut self, d: &Operand<'a>) -> Decoded<(Option<Dst<u32>>, PredDst)> {
        match d {
            Operand::Pair(d, p) => {
                Ok((self.dst_or_sink(d, Type::B32)?.map(Register::write).transpose()?, self.pred_dst(p)?))
            }
            d => Ok((Some(self.dst(d, Type::B32)?.write()?), PredDst::JUNK)),
        }
    }

    /// Appends an instruction whose member mask is the `n`-th operand.
    fn members<O: Op>(&mut self, x: &Found<'_, 'a>, n: usize, data: O::Data) -> Decoded<()> {
        let members = self.src(x.operand(n)?, Type::B32)?.read()?;
        self.together::<O>(Class::Shuffle, members, data);
        Ok(())
    }
}

fn shfl<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (d, p) = c.pair(x.operand(0)?)?;
    let value = c.src(x.operand(1)?, Type::B32)?.read()?;
    let (lane, clamp) = (c.src(x.operand(2)?, Type::U32)?.read()?, c.src(x.operand(3)?, Type::U32)?.read()?);
    let data = Shuffled { d, p, value, lane, clamp };
    match x.one_of(&["up", "down", "bfly"]) {
        Some("up") => c.members::<Shuffle<0>>(x, 4, data),
        Some("down") => c.members::<Shuffle<1>>(x, 4, data),
        Some(_) => c.members::<Shuffle<2>>(x, 4, data),
        None => c.members::<Shuffle<3>>(x, 4, data),
    }
}

fn matching<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let ((d, p), a) = (c.pair(x.operand(0)?)?, c.src(x.operand(1)?, x.ty())?);
    match (x.has("any"), a.wide()) {
        (true, false) => c.members::<Match<u32, false>>(x, 2, Matched { d, p, a: a.read()? }),
        (true, true) => c.members::<Match<u64, false>>(x, 2, Matched { d, p, a: a.read()? }),
        (false, false) => c.members::<Match<u32, true>>(x, 2, Matched { d, p, a: a.read()? }),
        (false, true) => c.members::<Match<u64, true>>(x, 2, Matched { d, p, a: a.read()? }),
    }
}

fn redux<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let how = x.one_of(&["add", "min", "max", "and", "or", "xor"]).unwrap_or_default();
    let function = reduction(how, x.ty()).ok_or_else(Refusal::wrong_type)?;
    let (d, a) = (c.dst(x.operand(0)?, x.ty())?.write()?, c.src(x.operand(1)?, x.ty())?.read()?);
    c.members::<Redux>(x, 2, Reduced { function, d, a })
}

#[derive(Clone, Copy)]
struct Shuffled {
    d: Option<Dst<u32>>,
    p: PredDst,
    value: Src<u32>,
    lane: Src<u32>,
    clamp: Src<u32>,
}
operands!(Shuffled { d, p, value, lane, clamp });

/// What a shuffle gives where the value is undefined, under synccheck: a float that is no number, a large integer.
const POISON: u32 = 0x7fba_dbad;

/// `shfl.sync`: mode 0 up, 1 down, 2 bfly, 3 idx.
struct Shuffle<const MODE: u8>;

impl<const MODE: u8> Op for Shuffle<MODE> {
    type Data = Shuffled;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Shuffled, mask: u32) {
        let (a, b, c) = (cx.read(i.value), cx.read(i.lane), cx.read(i.clamp));
        let mut t = [0u32; 32];
        let mut inside = 0u32;
        let mut missing = 0u32;
        for l in 0..32u32 {
            let (b, c) = (b[l as usize] & 31, c[l as usize]);
            let (clamp, segment) = (c & 31, (c >> 8) & 31);
            let most = (l & segment) | (clamp & !segment);
            let least = l & segment;
            let (j, ok) = match MODE {
                0 => (l.wrapping_sub(b), l as i32 - b as i32 >= most as i32),
                1 => (l + b, l + b <= most),
                2 => (l ^ b, l ^ b <= most),
                _ => {
                    let j = least | (b & !segment);
                    (j, j <= most)
                }
            };
            let from = if ok { j } else { l };
            t[l as usize] = a[from as usize & 31];
            inside |= u32::from(ok) << l;
            missing |= u32::from(mask >> (from & 31) & 1 == 0) << l;
        }
        if missing & mask != 0 {
            let inst = cx.inst();
            if watch::shuffle_from_nobody(cx, inst, missing & mask) {
                lanes(missing, |l| t[l] = POISON);
            }
        }
        cx.set_predicate(i.p, inside, mask);
        if let Some(d) = i.d {
            cx.write(d, &t, mask);
        }
    }
}

/// What `vote.sync` asks of the members.
#[derive(Clone, Copy)]
enum Agreement {
    All,
    Any,
    Uniform,
}

#[derive(Clone, Copy)]
struct Poll {
    how: Agreement,
    p: PredDst,
    from: Pred,
}
operands!(unsafe Poll);

/// `vote.sync.all`, `.any` and `.uni`.
struct Vote;

impl Op for Vote {
    type Data = Poll;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Poll, mask: u32) {
        let v = cx.predicate(i.from) & mask;
        let yes = match i.how {
            Agreement::All => v == mask,
            Agreement::Any => v != 0,
            Agreement::Uniform => v == mask || v == 0,
        };
        cx.set_predicate(i.p, if yes { !0 } else { 0 }, mask);
    }
}

#[derive(Clone, Copy)]
struct Voters {
    d: Dst<u32>,
    from: Pred,
}
operands!(Voters { d, from });

/// `vote.sync.ballot`.
struct Ballot;

impl Op for Ballot {
    type Data = Voters;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Voters, mask: u32) {
        let v = cx.predicate(i.from) & mask;
        cx.write(i.d, &[v; 32], mask);
    }
}

/// `activemask`.
struct ActiveMask;

impl Op for ActiveMask {
    type Data = Dst<u32>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, d: &Dst<u32>, mask: u32) {
        cx.write(*d, &[mask; 32], mask);
    }
}

#[derive(Clone, Copy)]
struct Elected {
    d: Option<Dst<u32>>,
    p: PredDst,
}
operands!(Elected { d, p });

/// `elect.sync`: the lowest member.
struct Elect;

impl Op for Elect {
    type Data = Elected;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Elected, mask: u32) {
        let leader = mask.trailing_zeros();
        if let Some(d) = i.d {
            cx.write(d, &[leader; 32], mask);
        }
        cx.set_predicate(i.p, 1 << leader, mask);
    }
}

#[derive(Clone, Copy)]
struct Matched<T> {
    d: Option<Dst<u32>>,
    p: PredDst,
    a: Src<T>,
}
operands!([T: Lane] Matched<T> { d, p, a });

/// `match.any.sync` and `match.all.sync`.
struct Match<T, const ALL: bool>(PhantomData<T>);

impl<T: Lane + PartialEq, const ALL: bool> Op for Match<T, ALL> {
    type Data = Matched<T>;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Matched<T>, mask: u32) {
        let a = *cx.read(i.a);
        let mut t = [0u32; 32];
        for l in 0..32 {
            for k in 0..32 {
                t[l] |= u32::from(a[l] == a[k]) << k;
            }
            t[l] &= mask;
        }
        if ALL {
            let same = t[mask.trailing_zeros() as usize & 31] == mask;
            cx.set_predicate(i.p, if same { !0 } else { 0 }, mask);
            t = [if same { mask } else { 0 }; 32];
        }
        if let Some(d) = i.d {
            cx.write(d, &t, mask);
        }
    }
}

type Reduction = fn(u32, u32) -> u32;

#[derive(Clone, Copy)]
struct Reduced {
    function: Reduction,
    d: Dst<u32>,
    a: Src<u32>,
}
operands!(unsafe Reduction);
operands!(Reduced { function, d, a });

/// `redux.sync`.
struct Redux;

impl Op for Redux {
    type Data = Reduced;
    const VECTORS: bool = false;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Reduced, mask: u32) {
        let a = cx.read(i.a);
        let members = (0..32).filter(|l| mask >> l & 1 != 0).map(|l| a[l]);
        let sum = members.reduce(i.function).unwrap_or(0);
        cx.write(i.d, &[sum; 32], mask);
    }
}

/// The operation of `redux.sync`.
fn reduction(how: &str, ty: Type) -> Option<Reduction> {
    Some(match (how, ty) {
        ("add", Type::U32 | Type::S32) => |a, b| a.wrapping_add(b),
        ("min", Type::U32) => |a, b| a.min(b),
        ("max", Type::U32) => |a, b| a.max(b),
        ("min", Type::S32) => |a, b| (a as i32).min(b as i32) as u32,
        ("max", Type::S32) => |a, b| (a as i32).max(b as i32) as u32,
        ("and", Type::B32) => |a, b| a & b,
        ("or", Type::B32) => |a, b| a | b,
        ("xor", Type::B32) => |a, b| a ^ b,
        _ => return None,
    })
}

/// `bar.warp.sync`.
struct SyncWarp;

impl Op for SyncWarp {
    type Data = ();
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, _: &(), mask: u32) {
        watch::warp_synced(cx, mask);
    }
}
