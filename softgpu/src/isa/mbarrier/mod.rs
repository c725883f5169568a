//! mbarrier objects: barriers in shared memory that count arrivals and are waited for by polling.
//!
//! `object` finds the objects of lanes and looks whether they are sound, `operate` does what instructions do to them.
//!
//! PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier". An object is 64 opaque
//! bits; here the low 20 are the pending arrivals, the next 20 those that a phase expects, then three of
//! the phase's number and 21 of the transactions still to come. The block keeps the same beside shared
//! memory, so that an object that was never initialised, or that a store has overwritten, is noticed.
//!
//! Arrivals that `cp.async.mbarrier.arrive` promises come as late as possible: when a waiting thread has
//! polled in vain once and nothing else is missing.

pub mod object;
pub mod operate;
pub mod syntax;
