//! A warp: its registers, and its lanes as groups that run on their own.
//!
//! Lanes that take different ways at a branch become two [`Split`]s. Both remember the place where
//! their ways meet again ([`Meeting`]); who gets there first waits. Waiting is for speed only: when
//! lanes wait for each other in other ways (a lock inside a warp), meetings are dissolved and every
//! lane goes on by itself, as independent thread scheduling demands.

use crate::machine::row::NONE;

/// Lanes that run together.
#[derive(Clone, Debug)]
pub struct Split {
    pub pc: u32,
    pub mask: u32,
    /// The innermost meeting these lanes go to.
    pub meeting: u32,
    /// Frames below this one.
    pub frame: u32,
}

/// Where diverged lanes meet again.
#[derive(Clone, Debug)]
pub struct Meeting {
    pub pc: u32,
    pub frame: u32,
    /// Lanes that are to come, those that are here included.
    pub expected: u32,
    pub arrived: u32,
    pub parent: u32,
}

/// A call frame of some lanes.
#[derive(Clone, Debug)]
pub struct Frame {
    pub return_pc: u32,
    pub call: u32,
    pub callee: u32,
    /// First row and predicate of the callee's frame.
    pub rows: u32,
    pub preds: u32,
    /// First byte of the callee's local memory.
    pub local: u32,
    pub parent: u32,
    /// The meeting the caller's lanes go to.
    pub meeting: u32,
    /// Lanes that have not returned.
    pub lanes: u32,
}

/// Lanes that wait for others at a `*.sync` instruction.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub split: Split,
    pub members: u32,
}

/// A `cp.async` that has not landed.
#[derive(Clone, Debug)]
pub struct AsyncCopy {
    pub mask: u32,
    /// Shared offsets and global addresses of the lanes.
    pub to: [u32; 32],
    pub from: [u64; 32],
    pub size: u32,
    /// Bytes read; the others are zero.
    pub read: [u8; 32],
    pub inst: u32,
    /// The warp's how many-th copy it is.
    pub serial: u32,
}

/// The copies of a warp's lanes in groups.
#[derive(Clone, Debug, Default)]
pub struct AsyncQueue {
    /// Not in a group yet.
    pub open: Vec<AsyncCopy>,
    pub groups: std::collections::VecDeque<(u32, Vec<AsyncCopy>)>,
    /// Copies so far.
    pub issued: u32,
}

/// The state of a warp.
#[derive(Default)]
pub struct Warp {
    pub number: u32,
    /// Lanes that exist.
    pub exists: u32,
    pub alive: u32,
    pub ready: Vec<Split>,
    pub meetings: Vec<Meeting>,
    pub free_meetings: Vec<u32>,
    pub frames: Vec<Frame>,
    pub free_frames: Vec<u32>,
    pub waiting: Vec<Waiting>,
    /// Splits that wait at a barrier of the block: number of the barrier.
    pub at_barrier: Vec<(u32, Split)>,
    pub copies: AsyncQueue,
    pub first_thread: u32,
    pub block_dim: [u32; 3],
    /// Progress of the warp for the hazard checks, see `check`.
    pub clock: u32,
    /// The clock after the latest `*.sync` instruction of all its lanes.
    pub together: u32,
    /// Warp-level synchronisations since the last one of all lanes: time and members.
    pub syncs: Vec<(u32, u32)>,
    /// Backward branches until the warp is looked at, and how many it took in all.
    pub steps_left: i64,
    pub steps: u64,
    /// Branches whose lanes went different ways.
    pub divergences: u64,
    /// The context's polls when it was looked at last.
    pub polls: u64,
}

impl Warp {
    /// All its lanes begin at an instruction; what a block before left behind is gone.
    pub fn start(&mut self, pc: u32) {
        self.alive = self.exists;
        self.ready.clear();
        self.meetings.clear();
        self.free_meetings.clear();
        self.frames.truncate(1);
        self.frames[0].lanes = self.exists;
        self.free_frames.clear();
        self.waiting.clear();
        self.at_barrier.clear();
        self.copies = AsyncQueue::default();
        self.clock = 1;
        self.together = 0;
        self.steps = 0;
        self.divergences = 0;
        self.syncs.clear();
        self.ready.push(Split { pc, mask: self.exists, meeting: NONE, frame: 0 });
    }

    /// The coordinates of a lane's thread.
    pub fn thread(&self, lane: u32) -> [u32; 3] {
        let n = self.first_thread + lane;
        let [x, y, _] = self.block_dim;
        [n % x, n / x % y, n / (x * y)]
    }

    /// Adds a call frame; gives its number.
    pub fn add_frame(&mut self, frame: Frame) -> u32 {
        add(&mut self.frames, &mut self.free_frames, frame)
    }

    /// A new meeting, or the innermost one when it is the same place.
    pub fn meet_at(&mut self, split: &Split, pc: u32) -> u32 {
        if split.meeting != NONE {
            let m = &self.meetings[split.meeting as usize];
            if m.pc == pc && m.frame == split.frame {
                return split.meeting;
            }
        }
        let meeting = Meeting { pc, frame: split.frame, expected: split.mask, arrived: 0, parent: split.meeting };
        add(&mut self.meetings, &mut self.free_meetings, meeting)
    }

    /// Lanes stand where diverged ones meet: gives the split that goes on, unless these wait for others.
    pub fn reconverge(&mut self, split: Split) -> Option<Split> {
        let id = split.meeting;
        let m = match self.meetings.get_mut(id as usize) {
            Some(m) if m.pc == split.pc && m.frame == split.frame => m,
            _ => return Some(Split { pc: split.pc + 1, ..split }),
        };
        m.arrived |= split.mask;
        (m.arrived == m.expected).then(|| {
            let on = Split { pc: m.pc, mask: m.arrived, meeting: m.parent, frame: m.frame };
            self.free_meetings.push(id);
            on
        })
    }

    /// Lanes leave for good; meetings that waited for them only go on.
    pub fn leave(&mut self, mask: u32, meeting: u32) {
        self.alive &= !mask;
        let mut at = meeting;
        while at != NONE {
            let m = &mut self.meetings[at as usize];
            m.expected &= !mask;
            let parent = m.parent;
            if m.expected == 0 {
                self.free_meetings.push(at);
            } else if m.arrived == m.expected {
                let on = Split { pc: m.pc, mask: m.arrived, meeting: parent, frame: m.frame };
                self.free_meetings.push(at);
                self.ready.push(on);
            }
            at = parent;
        }
    }

    /// Lets every lane that waits at a meeting go on without the others. True when there were any.
    pub fn dissolve(&mut self) -> bool {
        let mut found = false;
        for id in 0..self.meetings.len() {
            if self.free_meetings.contains(&(id as u32)) {
                continue;
            }
            let m = &mut self.meetings[id];
            if m.arrived != 0 {
                let on = Split { pc: m.pc, mask: m.arrived, meeting: m.parent, frame: m.frame };
                m.expected &= !m.arrived;
                m.arrived = 0;
                self.ready.push(on);
                found = true;
            }
        }
        found
    }

    /// Joins ready splits that stand at the same place.
    pub fn join_ready(&mut self) {
        let mut i = 0;
        while i < self.ready.len() {
            let mut j = i + 1;
            while j < self.ready.len() {
                let same = |a: &Split, b: &Split| a.pc == b.pc && a.meeting == b.meeting && a.frame == b.frame;
                if same(&self.ready[i], &self.ready[j]) {
                    self.ready[i].mask |= self.ready[j].mask;
                    self.ready.remove(j);
                } else {
                    j += 1;
                }
            }
            i += 1;
        }
    }

    /// True when every lane has exited.
    pub fn done(&self) -> bool {
        self.alive == 0
    }
}

/// Puts an item into a free place of a list, or behind its end; gives the place.
fn add<T>(list: &mut Vec<T>, free: &mut Vec<u32>, item: T) -> u32 {
    match free.pop() {
        Some(at) => {
            list[at as usize] = item;
            at
        }
        None => {
            list.push(item);
            list.len() as u32 - 1
        }
    }
}
