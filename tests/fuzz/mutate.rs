//! Inputs made of others: bits, bytes, numbers and stretches changed, as damage and malice change files.

/// An endless row of inputs that follows from a name.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

/// Numbers at which readers go wrong.
const EDGES: [u32; 10] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/// The most that an input grows by.
const GROWTH: usize = 1 << 16;

impl Mutator {
    pub fn new(name: &str, seeds: Vec<Vec<u8>>) -> Mutator {
        let state = name
            .bytes()
            .fold(0x9e37_79b9_7f4a_7c15, |state: u64, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Mutator { seeds, state }
    }

    /// xorshift64* (Vigna, arXiv 1402.6246).
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 where there is none.
    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.random() % end as u64) as usize }
    }

    /// One of the seeds.
    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds[at].clone()
    }

    /// The next input: one in sixteen random from end to end, the others a seed with up to eight changes.
    pub fn next(&mut self) -> Vec<u8> {
        if self.below(16) == 0 {
            let length = self.below(300);
            return (0..length).map(|_| self.random() as u8).collect();
        }
        let mut input = self.seed();
        for _ in 0..=self.below(8) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.place(input.len());
        let end = (at + 1 + self.below(64)).min(input.len());
        match self.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.random() as u8,
            2 => input.truncate(at),
            3 => {
                let more = self.below(64);
                input.extend((0..more).map(|i| i as u8));
            }
            4 if at + 4 <= input.len() => {
                let edge = EDGES[self.below(EDGES.len())];
                let bytes = if self.below(2) == 0 { edge.to_le_bytes() } else { edge.to_be_bytes() };
                input[at..at + 4].copy_from_slice(&bytes);
            }
            5 if input.len() < GROWTH => {
                let part = input[at.min(end)..end].to_vec();
                input.splice(at..at, part);
            }
            6 => drop(input.drain(at.min(end)..end)),
            7 => {
                let other = self.seed();
                let from = self.place(other.len());
                input.truncate(at);
                input.extend(&other[from..]);
                input.truncate(GROWTH.max(other.len()));
            }
            _ => self.digit(input),
        }
    }

    /// A place, half of the time among the first bytes, where heads are.
    fn place(&mut self, length: usize) -> usize {
        let near = if self.below(2) == 0 { length.min(64) } else { length };
        self.below(near)
    }

    /// Makes a digit of a text another, or a long row of them.
    fn digit(&mut self, input: &mut Vec<u8>) {
        let digits: Vec<usize> = (0..input.len().min(4096)).filter(|&i| input[i].is_ascii_digit()).collect();
        if digits.is_empty() {
            return;
        }
        let at = digits[self.below(digits.len())];
        let many = if self.below(4) == 0 { 1 + self.below(24) } else { 1 };
        let digits: Vec<u8> = (0..many).map(|_| b'0' + self.below(10) as u8).collect();
        input.splice(at..at + 1, digits);
    }
}
