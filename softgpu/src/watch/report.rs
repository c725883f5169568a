//! Making findings.

use crate::check::{Finding, FindingKind};
use crate::kernel::Fault;
use crate::machine::access::{Kind, space_name};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::operand::AnySrc;

/// Where an access was.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    pub address: u64,
    pub space: &'static str,
    pub bytes: u32,
}

/// An access, its addresses apart.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    pub inst: &'a Inst,
    pub kind: Kind,
    /// Bytes of a lane.
    pub size: u32,
    /// Where a store's values come from.
    pub stored: &'a [Option<AnySrc>],
    /// Bytes of each of these values; 0 where they are addresses of what is stored.
    pub element: u32,
}

impl<'a> Access<'a> {
    pub fn of(inst: &'a Inst, kind: Kind, size: usize) -> Access<'a> {
        Access { inst, kind, size: size as u32, stored: &[], element: 0 }
    }

    /// What a lane stores, where that is known.
    pub fn bytes(&self, cx: &Cx, lane: usize) -> [u8; 16] {
        let (mut bytes, element) = ([0; 16], self.element as usize);
        for (to, &row) in bytes.chunks_exact_mut(element.max(1)).zip(self.stored.iter().flatten()) {
            to.copy_from_slice(&cx.lane(row, lane).to_le_bytes()[..element]);
        }
        bytes
    }

    /// Where it is, for messages.
    pub fn spot(&self, address: u64, space: u8) -> Spot {
        Spot { address, space: space_name(space), bytes: self.size }
    }
}

/// For a mistake that has no address.
pub const NOWHERE: Spot = Spot { address: 0, space: "", bytes: 0 };

/// Reports a mistake that has no address.
#[cold]
pub fn report(cx: &mut Cx, kind: FindingKind, inst: &Inst, lane: u32, message: &str) {
    at(cx, kind, inst, lane, NOWHERE, message);
}

/// Reports a mistake. The same kind at the same place is one finding with a count; it shows the
/// first block and thread, whichever host thread was faster.
#[cold]
pub fn at(cx: &mut Cx, kind: FindingKind, inst: &Inst, lane: u32, spot: Spot, message: &str) {
    let thread = cx.warp().thread(lane & 31);
    of_thread(cx, kind, inst, thread, spot, message);
}

/// Reports a wrong address; without memcheck it is a fault.
#[cold]
pub fn wrong(cx: &mut Cx, kind: FindingKind, inst: &Inst, lane: u32, spot: Spot, message: &str) {
    if cx.launch().opts.mem {
        return at(cx, kind, inst, lane, spot, message);
    }
    let fault = if kind == FindingKind::Misaligned { Fault::MisalignedAddress } else { Fault::IllegalAddress };
    let place = if spot.space == "local" { String::new() } else { format!(" ({:#x})", spot.address) };
    cx.fail(fault, inst.head.id, lane, &format!("{message}{place}"));
}

/// Reports a mistake of a thread of the block, whichever warp runs.
#[cold]
pub fn of_thread(cx: &mut Cx, kind: FindingKind, inst: &Inst, thread: [u32; 3], spot: Spot, message: &str) {
    let block = cx.block().index;
    let launch = cx.launch();
    if launch.opts.muted.contains(&kind) {
        return;
    }
    let (ptx_line, source) = launch.program.place(inst.head.id);
    let mut findings = launch.findings.lock().unwrap_or_else(|p| p.into_inner());
    let order = |b: [u32; 3], t: [u32; 3]| [b[2], b[1], b[0], t[2], t[1], t[0]];
    let describe = || match spot.space {
        "global" | "generic" => launch.memory.describe(spot.address),
        "shared" => format!("offset {} of {} bytes of shared memory", spot.address, launch.own_shared),
        "local" => format!("offset {} of local memory", spot.address),
        _ => String::new(),
    };
    let same = |f: &&mut Finding| {
        // an unrolled loop repeats a source line many times
        f.kind == kind && if source.is_some() { f.source == source } else { f.ptx_line == ptx_line }
    };
    if let Some(f) = findings.list.iter_mut().find(same) {
        f.count += 1;
        if order(block, thread) < order(f.block, f.thread) {
            f.ptx_line = ptx_line;
            f.block = block;
            f.thread = thread;
            f.address = spot.address;
            f.allocation = describe();
            f.message = message.to_string();
        }
        return;
    }
    let rank = kind.rank();
    let so_far = findings.list.iter().filter(|f| f.rank == rank).count();
    if so_far >= launch.opts.max_findings_per_kernel {
        findings.beyond += 1;
        return;
    }
    findings.list.push(Finding {
        kind,
        rank,
        kernel: launch.kernel_name.to_string(),
        ptx_line,
        source,
        block,
        thread,
        address: spot.address,
        space: spot.space,
        bytes: spot.bytes,
        allocation: describe(),
        message: message.to_string(),
        count: 1,
    });
    drop(findings);
    if launch.opts.abort_on_finding && rank >= launch.opts.fail_on {
        let place = cx.whereabouts_of(inst.head.id, thread);
        cx.fault(Fault::Aborted(format!("{place}: {message}")));
    }
}
