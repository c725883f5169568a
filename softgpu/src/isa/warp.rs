//! Instructions in which the lanes of a warp see each other. Their mask holds the members that execute together.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Pred, PredDst, Register, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::{Isa, Lane};
use crate::ptx::{Instr, Operand, Type};
use crate::watch;
use std::marker::PhantomData;

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn warpwide(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "shfl" => self.shfl(i, m)?,
            "vote" => self.vote(i, m)?,
            "bar" | "barrier" => {
                m.take("warp");
                m.take("sync");
                let [members] = self.operands::<1>(i)?;
                let members = self.src(&members, Type::B32)?.read()?;
                self.together::<SyncWarp>(Class::Barrier, members, ());
            }
            "activemask" => {
                let ty = m.ty()?;
                let [d] = self.operands::<1>(i)?;
                let d = self.dst(&d, ty)?.write()?;
                self.straight::<ActiveMask>(Class::Move, d);
            }
            "match" => self.matching(i, m)?,
            "redux" => self.redux(i, m)?,
            "elect" => {
                m.take("sync");
                let [d, members] = self.operands::<2>(i)?;
                let Operand::Pair(d, p) = d else {
                    return Err(Refusal::new("a destination d|p is wanted"));
                };
                let d = self.optional(&d)?;
                let p = self.pred_dst(&p)?;
                let members = self.src(&members, Type::B32)?.read()?;
                self.together::<Elect>(Class::Shuffle, members, Elected { d, p });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A destination of 32 bits, or `_`.
    fn optional(&mut self, d: &Operand<'a>) -> Decoded<Option<Dst<u32>>> {
        Ok(self.dst_or_sink(d, Type::B32)?.map(Register::write).transpose()?)
    }

    /// A destination `d|p`, or one without a predicate.
    fn pair(&mut self, d: &Operand<'a>) -> Decoded<(Option<Dst<u32>>, PredDst)> {
        match d {
            Operand::Pair(d, p) => Ok((self.optional(d)?, self.pred_dst(p)?)),
            d => Ok((Some(self.dst(d, Type::B32)?.write()?), PredDst::JUNK)),
        }
    }

    fn shfl(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if !m.take("sync") {
            return Err(Refusal::new("only shfl.sync is supported (shfl without .sync is gone since sm_70)"));
        }
        let mode = m
            .one_of(&["up", "down", "bfly", "idx"])
            .ok_or_else(|| Refusal::new("'.up', '.down', '.bfly' or '.idx' is missing"))?;
        let ty = m.ty()?;
        if ty != Type::B32 {
            return Err(Refusal::new("only .b32 exists"));
        }
        let [d, a, b, c, members] = self.operands::<5>(i)?;
        let (d, p) = self.pair(&d)?;
        let value = self.src(&a, ty)?.read()?;
        let (lane, clamp) = (self.src(&b, Type::U32)?.read()?, self.src(&c, Type::U32)?.read()?);
        let members = self.src(&members, ty)?.read()?;
        let data = Shuffled { d, p, value, lane, clamp };
        match mode {
            "up" => self.together::<Shuffle<0>>(Class::Shuffle, members, data),
            "down" => self.together::<Shuffle<1>>(Class::Shuffle, members, data),
            "bfly" => self.together::<Shuffle<2>>(Class::Shuffle, members, data),
            _ => self.together::<Shuffle<3>>(Class::Shuffle, members, data),
        };
        Ok(())
    }

    fn vote(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if !m.take("sync") {
            return Err(Refusal::new("only vote.sync is supported"));
        }
        let how = m
            .one_of(&["all", "any", "uni", "ballot"])
            .ok_or_else(|| Refusal::new("'.all', '.any', '.uni' or '.ballot' is missing"))?;
        let ty = m.ty()?;
        let [d, a, members] = self.operands::<3>(i)?;
        let from = self.pred_src(&a)?;
        let members = self.src(&members, Type::B32)?.read()?;
        if how == "ballot" {
            let d = self.dst(&d, ty)?.write()?;
            self.together::<Ballot>(Class::Shuffle, members, Voters { d, from });
            return Ok(());
        }
        let how = match how {
            "all" => Agreement::All,
            "any" => Agreement::Any,
            _ => Agreement::Uniform,
        };
        let p = self.pred_dst(&d)?;
        self.together::<Vote>(Class::Shuffle, members, Poll { how, p, from });
        Ok(())
    }

    fn matching(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let how = m.one_of(&["any", "all"]).ok_or_else(|| Refusal::new("'.any' or '.all' is missing"))?;
        m.take("sync");
        let ty = m.ty()?;
        let [d, a, members] = self.operands::<3>(i)?;
        let (d, p) = self.pair(&d)?;
        let a = self.src(&a, ty)?;
        let members = self.src(&members, Type::B32)?.read()?;
        match (how, ty.bytes()) {
            ("any", 4) => self.together::<Match<u32, false>>(Class::Shuffle, members, Matched { d, p, a: a.read()? }),
            ("any", 8) => self.together::<Match<u64, false>>(Class::Shuffle, members, Matched { d, p, a: a.read()? }),
            ("all", 4) => self.together::<Match<u32, true>>(Class::Shuffle, members, Matched { d, p, a: a.read()? }),
            ("all", 8) => self.together::<Match<u64, true>>(Class::Shuffle, members, Matched { d, p, a: a.read()? }),
            _ => return Err(Refusal::wrong_type()),
        };
        Ok(())
    }

    fn redux(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        m.take("sync");
        let how = m
            .one_of(&["add", "min", "max", "and", "or", "xor"])
            .ok_or_else(|| Refusal::new("the operation is missing"))?;
        let ty = m.ty()?;
        let function = reduction(how, ty).ok_or_else(Refusal::wrong_type)?;
        let [d, a, members] = self.operands::<3>(i)?;
        let (d, a) = (self.dst(&d, ty)?.write()?, self.src(&a, ty)?.read()?);
        let members = self.src(&members, Type::B32)?.read()?;
        self.together::<Redux>(Class::Shuffle, members, Reduced { function, d, a });
        Ok(())
    }
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

/// `shfl.sync`: mode 0 up, 1 down, 2 bfly, 3 idx.
struct Shuffle<const MODE: u8>;

impl<const MODE: u8> Op for Shuffle<MODE> {
    type Data = Shuffled;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame, i: &Shuffled, mask: u32) {
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
            watch::shuffle_from_nobody(cx, inst, missing & mask);
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
operands!(Poll);

/// `vote.sync.all`, `.any` and `.uni`.
struct Vote;

impl Op for Vote {
    type Data = Poll;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame, i: &Poll, mask: u32) {
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
    fn exec<I: Isa>(cx: &mut Frame, i: &Voters, mask: u32) {
        let v = cx.predicate(i.from) & mask;
        cx.write(i.d, &[v; 32], mask);
    }
}

/// `activemask`.
struct ActiveMask;

impl Op for ActiveMask {
    type Data = Dst<u32>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame, d: &Dst<u32>, mask: u32) {
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
    fn exec<I: Isa>(cx: &mut Frame, i: &Elected, mask: u32) {
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
    fn exec<I: Isa>(cx: &mut Frame, i: &Matched<T>, mask: u32) {
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
operands!(Reduction);
operands!(Reduced { function, d, a });

/// `redux.sync`.
struct Redux;

impl Op for Redux {
    type Data = Reduced;
    const VECTORS: bool = false;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame, i: &Reduced, mask: u32) {
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
    fn exec<I: Isa>(cx: &mut Frame, _: &(), mask: u32) {
        watch::warp_synced(cx, mask);
    }
}
