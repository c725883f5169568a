//! Copies and fills of linear memory, in one form for all shapes.

use crate::driver::abi::pointers::HostAddress;
use std::sync::Arc;

/// One end of a copy.
#[derive(Clone)]
pub enum Place {
    Device(u64),
    /// Host memory, read or written when the copy runs.
    Host(HostAddress),
    /// What pageable host memory held when the copy was queued.
    Staged(Arc<Vec<u8>>),
}

/// `depth` planes of `height` rows of `width` bytes.
#[derive(Clone)]
pub struct Copy {
    pub source: Place,
    pub target: Place,
    pub width: u64,
    pub height: u64,
    pub depth: u64,
    /// Bytes from row to row and plane to plane, of source and target.
    pub source_steps: [u64; 2],
    pub target_steps: [u64; 2],
}

impl Copy {
    /// A copy of consecutive bytes.
    pub fn linear(target: Place, source: Place, bytes: u64) -> Copy {
        Copy { source, target, width: bytes, height: 1, depth: 1, source_steps: [0; 2], target_steps: [0; 2] }
    }

    pub fn device_only(&self) -> bool {
        !matches!(self.source, Place::Host(_)) && !matches!(self.target, Place::Host(_))
    }

    /// Bytes from the first to the last touched at an end.
    pub fn extent(&self, steps: [u64; 2]) -> u64 {
        if self.width == 0 || self.height == 0 || self.depth == 0 {
            return 0;
        }
        let rows = (self.depth - 1).saturating_mul(steps[1]).saturating_add((self.height - 1).saturating_mul(steps[0]));
        rows.saturating_add(self.width)
    }
}

/// Rows of a repeated pattern.
#[derive(Clone)]
pub struct Fill {
    pub address: u64,
    /// Bytes from row to row.
    pub pitch: u64,
    pub pattern: Vec<u8>,
    /// Elements of a row.
    pub width: u64,
    pub height: u64,
}
