//! Chains of releases and acquires between blocks.

use crate::history::History;

const COUNT: u64 = 100;
const FLAG: u64 = 200;

/// A barrier over blocks 0, 1 and 2, of which 2 comes last: all add to a counter, 2 sets a flag.
fn barrier(history: &mut History, time: u64, epoch: u32) {
    history.released(0, COUNT, time, epoch);
    history.released(1, COUNT, time + 1, epoch);
    history.released(2, COUNT, time + 2, epoch);
    history.acquired(2, COUNT, time + 3);
    history.released(2, FLAG, time + 4, epoch + 1);
}

#[test]
fn chains_lead_through_other_blocks_and_respect_time() {
    let mut history = History::default();
    barrier(&mut history, 10, 0);
    assert!(history.leads(1, 0, vec![(FLAG, 15)]));
    // what block 1 did after its release isn't ordered
    assert!(!history.leads(1, 1, vec![(FLAG, 15)]));
    // nor anything where the flag was read before it was set
    assert!(!history.leads(1, 0, vec![(FLAG, 14)]));
    assert!(!history.leads(3, 0, vec![(FLAG, 15)]));
}

/// A block that has left the first barrier sees its order, too, when others are in the second already.
#[test]
fn later_synchronisation_does_not_hide_the_earlier_one() {
    let mut history = History::default();
    barrier(&mut history, 10, 0);
    barrier(&mut history, 20, 2);
    assert!(history.leads(1, 0, vec![(FLAG, 15)]));
    assert!(!history.leads(1, 2, vec![(FLAG, 15)]));
    assert!(history.leads(1, 2, vec![(FLAG, 25)]));
}

#[test]
fn what_leads_through_a_lost_block_is_ordered() {
    let mut history = History::default();
    history.released(2, FLAG, 10, 0);
    assert!(!history.leads(1, 0, vec![(FLAG, 11)]));
    history.lost(2);
    assert!(history.leads(1, 0, vec![(FLAG, 11)]));
}
