//! Basic blocks of a function and where diverged lanes meet again.

/// How an instruction ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ends {
    /// Goes on to the next one.
    Next,
    /// Goes to one of these; `true` also to the next one.
    Jump(Vec<usize>, bool),
    /// Leaves the function; `true` when some lanes go on.
    Leave(bool),
}

/// Basic blocks with their successors.
pub struct Graph {
    /// First instruction of each block; a last entry holds the number of instructions.
    pub starts: Vec<usize>,
    pub successors: Vec<Vec<usize>>,
    /// For each block the block where all paths from it meet; `None` when that is the function's end.
    pub meets: Vec<Option<usize>>,
}

impl Graph {
    /// Cuts a list of instructions into blocks.
    pub fn new(ends: &[Ends]) -> Graph {
        let n = ends.len();
        let mut leader = vec![false; n + 1];
        leader[0] = true;
        for (i, e) in ends.iter().enumerate() {
            match e {
                Ends::Next => {}
                Ends::Jump(targets, _) => {
                    leader[i + 1] = true;
                    for &t in targets {
                        leader[t] = true;
                    }
                }
                Ends::Leave(_) => leader[i + 1] = true,
            }
        }
        let mut starts: Vec<usize> = (0..n).filter(|&i| leader[i]).collect();
        let blocks = starts.len();
        starts.push(n);
        let mut block_of = vec![usize::MAX; n + 1];
        for b in 0..blocks {
            block_of[starts[b]..starts[b + 1]].fill(b);
        }
        let mut successors = vec![Vec::new(); blocks];
        for b in 0..blocks {
            let last = starts[b + 1] - 1;
            let mut add = |i: usize| {
                if i < n && !successors[b].contains(&block_of[i]) {
                    successors[b].push(block_of[i]);
                }
            };
            match &ends[last] {
                Ends::Next => add(last + 1),
                Ends::Jump(targets, next) => {
                    if *next {
                        add(last + 1);
                    }
                    for &t in targets {
                        add(t);
                    }
                }
                Ends::Leave(true) => add(last + 1),
                Ends::Leave(false) => {}
            }
        }
        let leaves: Vec<bool> = (0..blocks)
            .map(|b| {
                let last = starts[b + 1] - 1;
                matches!(ends[last], Ends::Leave(_)) || successors[b].is_empty()
            })
            .collect();
        let meets = immediate_postdominators(&successors, &leaves);
        Graph { starts, successors, meets }
    }
}

/// Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", on the reversed graph with one
/// added end that every leaving block leads to.
fn immediate_postdominators(successors: &[Vec<usize>], leaves: &[bool]) -> Vec<Option<usize>> {
    let n = successors.len();
    let end = n;
    let mut predecessors = vec![Vec::new(); n + 1];
    for (b, list) in successors.iter().enumerate() {
        for &s in list {
            predecessors[s].push(b);
        }
        if leaves[b] {
            predecessors[end].push(b);
        }
    }
    // postorder of the reversed graph from the end
    let mut order = Vec::with_capacity(n + 1);
    let mut number = vec![usize::MAX; n + 1];
    let mut seen = vec![false; n + 1];
    let mut stack = vec![(end, 0)];
    seen[end] = true;
    while let Some((b, next)) = stack.pop() {
        if let Some(&p) = predecessors[b].get(next) {
            stack.push((b, next + 1));
            if !seen[p] {
                seen[p] = true;
                stack.push((p, 0));
            }
        } else {
            number[b] = order.len();
            order.push(b);
        }
    }
    let mut idom = vec![usize::MAX; n + 1];
    idom[end] = end;
    let mut changed = true;
    while changed {
        changed = false;
        for &b in order.iter().rev() {
            if b == end {
                continue;
            }
            let mut best = usize::MAX;
            let also_end = leaves[b].then_some(end);
            for s in successors[b].iter().copied().chain(also_end) {
                if idom[s] == usize::MAX {
                    continue;
                }
                best = if best == usize::MAX { s } else { meet(&idom, &number, best, s) };
            }
            if best != idom[b] {
                idom[b] = best;
                changed = true;
            }
        }
    }
    // blocks that never leave (endless loops) have no meeting place
    (0..n).map(|b| (idom[b] < n).then_some(idom[b])).collect()
}

fn meet(idom: &[usize], number: &[usize], mut a: usize, mut b: usize) -> usize {
    while a != b {
        while number[a] < number[b] {
            a = idom[a];
        }
        while number[b] < number[a] {
            b = idom[b];
        }
    }
    a
}
