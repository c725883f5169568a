//! Everything that looks at a running kernel: checks and counters.

pub mod global;
pub mod tally;

use super::block::{Barrier, Block};
use super::cx::Cx;
use super::inst::Inst;
use super::launch::Launch;
use super::row::Isa;
use super::warp::{Split, Waiting};
use crate::check::FindingKind;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Load,
    Store,
    Atomic,
}

#[derive(Default)]
pub struct SharedShadow {}
impl SharedShadow {
    pub fn restart(&mut self, _: &Launch<'_>, _: u32, _: usize) {}
}
#[derive(Default)]
pub struct BlockSync {}

/// A host thread's share of checks and counters.
pub struct Watcher {
    pub executed: Vec<(u64, u64)>,
}
impl Watcher {
    pub fn new(launch: &Launch<'_>) -> Watcher {
        Watcher {
            executed: vec![
                (0, 0);
                if launch.count {
                    launch.program.code.len()
                } else {
                    0
                }
            ],
        }
    }
    #[inline(always)]
    pub fn count(&mut self, id: u32, mask: u32) {
        let e = &mut self.executed[id as usize];
        e.0 += 1;
        e.1 += u64::from(mask.count_ones());
    }
    pub fn block_done(&mut self, _: &mut Block) {}
}
pub fn observe<I: Isa>(
    _: &mut Cx,
    _: &Inst,
    _: &mut [u64; 32],
    mask: u32,
    _: u32,
    _: Kind,
    _: u8,
) -> u32 {
    mask
}
pub fn observe_local(_: &mut Cx, _: &Inst, _: &[u64; 32], _: u32, _: u32, _: Kind) {}
pub fn bad_local(_: &mut Cx, _: &Inst, _: u64, _: u32, _: u32, _: bool) {}
pub fn divergent_barrier(_: &mut Cx, _: &Split) {}
pub fn missing_participant(_: &mut Cx, _: &Waiting) {}
pub fn not_a_member(_: &mut Cx, _: &Inst, _: u32, _: u32) {}
pub fn report(_: &mut Cx, _: FindingKind, _: &Inst, _: u32, _: &str) {}
pub fn barrier_arrival(_: &mut Cx, _: u32, _: &Inst) {}
pub fn barrier_complete(_: &mut Cx, _: u32, _: &Barrier, _: u32) {}
pub fn barrier_stuck(_: &mut Cx, _: &mut Block) {}
pub fn lanes_exit(_: &mut Cx, _: &Inst, _: u32) {}
pub fn shuffle_from_nobody(_: &mut Cx, _: &Inst, _: u32) {}
pub fn warp_synced(_: &mut Cx, _: u32) {}
pub fn fenced(_: &mut Cx, _: u32) {}
