//! Basic blocks, and where diverged lanes meet again.

use crate::flowgraph::{Ends, Graph};

#[test]
fn a_diamond_meets_behind_both_arms() {
    // 0: branch to 3 or next; 1, 2: jump 4; 3: next; 4: leave
    let ends = [Ends::Jump(vec![3], true), Ends::Next, Ends::Jump(vec![4], false), Ends::Next, Ends::Leave(false)];
    let g = Graph::new(&ends);
    assert_eq!(g.starts, [0, 1, 3, 4, 5]);
    assert_eq!(g.meets, [Some(3), Some(3), Some(3), None]);
}

#[test]
fn a_loop_meets_at_its_exit_and_an_early_return_at_the_end() {
    // 0: next; 1: branch to 1 or next; 2: some leave; 3: leave
    let ends = [Ends::Next, Ends::Jump(vec![1], true), Ends::Leave(true), Ends::Leave(false)];
    let g = Graph::new(&ends);
    assert_eq!(g.starts, [0, 1, 2, 3, 4]);
    assert_eq!(g.meets, [Some(1), Some(2), None, None]);
}
