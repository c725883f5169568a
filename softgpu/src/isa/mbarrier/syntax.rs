//! How instructions on mbarrier objects are written.

use crate::isa::decoder::{Decoded, Decoder, Found, Row, row};
use crate::isa::mbarrier::operate::{Action, Arriving, Operate, Operation, Pending, PendingCount, Waiting};
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::ptx::Type;

pub const ROWS: &[Row] = &[
    row("mbarrier.init(.SHARED)?.b64 [a], %r4", |c, x| {
        let count = c.src(x.operand(1)?, Type::U32)?.read()?;
        on_object(c, x, 0, Class::Other, Action::Init { count })
    })
    .since(80),
    row("mbarrier.arrive(.release.(cta|cluster))?(.SHARED)?.b64 d, [a]", arrive).since(80),
    row("mbarrier.arrive.noComplete(.release.(cta|cluster))?(.SHARED)?.b64 d, [a], %r4", arrive).since(80),
    row("mbarrier.arrive(.(release|relaxed).(cta|cluster))?(.SHARED)?.b64 d, [a], %r4", arrive).since(90),
    row("mbarrier.arrive.relaxed.(cta|cluster)(.SHARED)?.b64 d, [a]", arrive).since(90),
    row("mbarrier.arrive.expect_tx(.(release|relaxed).(cta|cluster))?(.SHARED)?.b64 d, [a], %r4", arrive).since(90),
    row("mbarrier.(expect_tx|complete_tx)(.relaxed)?(.cta|.cluster)?(.SHARED)?.b64 [a], %r4", |c, x| {
        let (bytes, expect) = (c.src(x.operand(1)?, Type::U32)?.read()?, x.has("expect_tx"));
        on_object(c, x, 0, Class::Other, Action::Transactions { bytes, expect })
    })
    .since(90),
    row("mbarrier.test_wait(.acquire.(cta|cluster))?(.SHARED)?.b64 %p1, [a], %rd3", wait).since(80),
    row("mbarrier.test_wait.parity(.acquire.(cta|cluster))?(.SHARED)?.b64 %p1, [a], %r4", wait).since(80),
    row("mbarrier.test_wait.relaxed.(cta|cluster)(.SHARED)?.b64 %p1, [a], %rd3", wait).since(90),
    row("mbarrier.test_wait.parity.relaxed.(cta|cluster)(.SHARED)?.b64 %p1, [a], %r4", wait).since(90),
    // how long the thread may sleep has nothing to do with the result
    row("mbarrier.try_wait(.(acquire|relaxed).(cta|cluster))?(.SHARED)?.b64 %p1, [a], %rd3(, %r4)?", wait).since(90),
    row("mbarrier.try_wait.parity(.(acquire|relaxed).(cta|cluster))?(.SHARED)?.b64 %p1, [a], %r4(, %r5)?", wait)
        .since(90),
    row("mbarrier.pending_count.b64 %r3, %rd3", |c, x| {
        let [d, token] = c.registers(x)?;
        c.straight::<PendingCount>(Class::Other, Pending { d: d.write()?, token: token.read()? });
        Ok(())
    })
    .since(80),
    row("mbarrier.arrive_drop(.release.(cta|cluster))?(.SHARED)?.b64 d, [a]", arrive).since(80),
    row("mbarrier.arrive_drop.noComplete(.release.(cta|cluster))?(.SHARED)?.b64 d, [a], %r4", arrive).since(80),
    row("mbarrier.arrive_drop(.(release|relaxed).(cta|cluster))?(.SHARED)?.b64 d, [a], %r4", arrive).since(90),
    row("mbarrier.arrive_drop.relaxed.(cta|cluster)(.SHARED)?.b64 d, [a]", arrive).since(90),
    row("mbarrier.arrive_drop.expect_tx(.(release|relaxed).(cta|cluster))?(.SHARED)?.b64 d, [a], %r4", arrive)
        .since(90),
    row("cp.async.mbarrier.arrive(.noinc)?(.SHARED)?.b64 [a]", |c, x| {
        on_object(c, x, 0, Class::Barrier, Action::CopyArrive { noinc: x.has("noinc") })
    })
    .since(80),
    row("mbarrier.inval(.SHARED)?.b64 [a]", |c, x| on_object(c, x, 0, Class::Other, Action::Invalidate)).since(80),
];

fn arrive<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let token = c.dst_or_sink(x.operand(0)?, Type::B64)?.map(Register::write).transpose()?;
    let number = match x.operand(2) {
        Ok(o) => Some(c.src(o, Type::U32)?.read()?),
        Err(_) => None,
    };
    let (count, expect) = if x.has("expect_tx") { (None, number) } else { (number, None) };
    let (drop, no_complete) = (x.has("arrive_drop"), x.has("noComplete"));
    let arriving = Arriving { token, count, expect, drop, no_complete, relaxed: x.has("relaxed") };
    on_object(c, x, 1, Class::Barrier, Action::Arrive(arriving))
}

fn wait<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let done = c.pred_dst(x.operand(0)?)?;
    let phase = c.src(x.operand(2)?, if x.has("parity") { Type::U32 } else { Type::B64 })?.read_any();
    if let Ok(hint) = x.operand(3) {
        c.src(hint, Type::U32)?;
    }
    on_object(c, x, 1, Class::Other, Action::Wait(Waiting { done, phase, relaxed: x.has("relaxed") }))
}

/// An action on the object at the `n`-th operand.
fn on_object<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>, n: usize, class: Class, action: Action) -> Decoded<()> {
    c.program.partial_sync = true;
    let (at, generic) = (c.address(x.operand(n)?)?, x.one_of(&["shared", "shared::cta"]).is_none());
    c.straight::<Operate>(class, Operation { at, generic, action });
    Ok(())
}
