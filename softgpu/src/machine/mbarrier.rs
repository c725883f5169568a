//! The object: its counts, its phase and who arrived.

/// Most arrivals that a phase can wait for.
pub const MOST: u32 = (1 << 20) - 1;
const EXPECTED: u32 = 20;
/// Where the phase's number lies in the object's bits.
pub const PHASE: u32 = 40;
const TRANSACTIONS: u32 = 43;

/// Lanes of a warp that arrived in a phase, and what they knew then (hazard checks).
#[derive(Clone, Debug)]
pub struct Arrival {
    pub warp: u32,
    pub lanes: u32,
    pub clock: u32,
    pub known: Vec<u32>,
}

/// An arrival that comes when copies have landed.
#[derive(Clone, Debug)]
pub struct CopyArrival {
    pub warp: u32,
    pub lane: u32,
    /// Copies up to this one.
    pub serial: u32,
    pub clock: u32,
}

/// An object.
#[derive(Clone, Debug, Default)]
pub struct Mbarrier {
    pub expected: u32,
    pub pending: u32,
    pub transactions: i32,
    pub phase: u64,
    arrivals: Vec<Arrival>,
    /// Arrivals of the phase that ended last.
    pub completed: Vec<Arrival>,
    pub copies: Vec<CopyArrival>,
    /// The current phase was waited for in vain.
    pub polled: bool,
}

impl Mbarrier {
    pub fn new(count: u32) -> Mbarrier {
        Mbarrier { expected: count, pending: count, ..Mbarrier::default() }
    }

    /// The object's 64 bits, also the token that an arrival gives.
    pub fn bits(&self) -> u64 {
        u64::from(self.pending)
            | u64::from(self.expected) << EXPECTED
            | (self.phase & 7) << PHASE
            | (self.transactions as u64) << TRANSACTIONS
    }

    /// Ends the phase when nothing is missing; true when it ended.
    pub fn advance(&mut self) -> bool {
        if self.pending != 0 || self.transactions != 0 {
            return false;
        }
        self.phase += 1;
        self.pending = self.expected;
        self.completed = std::mem::take(&mut self.arrivals);
        self.polled = false;
        true
    }

    pub fn remember(&mut self, arrival: Arrival) {
        match self.arrivals.last_mut() {
            Some(a) if a.warp == arrival.warp && a.clock == arrival.clock => {
                a.lanes |= arrival.lanes;
            }
            _ => self.arrivals.push(arrival),
        }
    }

    /// Only promised arrivals are missing.
    pub fn waits_for_copies(&self) -> bool {
        !self.copies.is_empty() && self.transactions == 0 && self.pending as usize <= self.copies.len()
    }
}
