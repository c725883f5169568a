//! The latest store of each host thread, so that another one can compare its values while it is under way.

use std::sync::{Arc, Mutex, MutexGuard};

/// A store of a warp to global memory.
#[derive(Clone, Default)]
pub struct Latest {
    pub block: u32,
    /// Addresses of the lanes.
    pub at: [u64; 32],
    pub mask: u32,
    /// Bytes of a lane, and what it stores.
    pub size: u32,
    pub bytes: [[u8; 16]; 32],
}

impl Latest {
    /// What it stores to an address.
    pub fn byte(&self, at: u64) -> Option<u8> {
        // of lanes that store to one place the last one's value stays
        let lane =
            (0..32).rev().find(|&l| self.mask >> l & 1 != 0 && at.wrapping_sub(self.at[l]) < self.size.into())?;
        Some(self.bytes[lane][(at - self.at[lane]) as usize])
    }
}

/// A host thread's.
pub type Own = Arc<Mutex<Latest>>;

/// Those of all host threads of a launch.
#[derive(Default)]
pub struct AllLatest(Mutex<Vec<Own>>);

impl AllLatest {
    /// A host thread begins.
    pub fn join(&self) -> Own {
        let own = Own::default();
        self.0.lock().unwrap_or_else(|p| p.into_inner()).push(own.clone());
        own
    }

    /// What a block stores to an address now, if its latest store is there.
    pub fn byte(&self, block: u32, at: u64) -> Option<u8> {
        let all = self.0.lock().unwrap_or_else(|p| p.into_inner()).clone();
        all.iter().map(open).find(|latest| latest.block == block).and_then(|latest| latest.byte(at))
    }
}

/// Opens a host thread's.
pub fn open(own: &Own) -> MutexGuard<'_, Latest> {
    own.lock().unwrap_or_else(|p| p.into_inner())
}
