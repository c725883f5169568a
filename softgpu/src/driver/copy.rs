//! Copies and fills of linear memory, in one form for all shapes.

use super::entry::{Answer, Refusal, refuse};
use super::errors::*;
use crate::memory::{Memory, MemoryError};

/// One end of a copy.
#[derive(Clone)]
pub enum Place {
    Device(u64),
    /// Host memory, read or written when the copy runs.
    Host(usize),
    /// What pageable host memory held when the copy was queued.
    Staged(std::sync::Arc<Vec<u8>>),
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
        (self.depth - 1) * steps[1] + (self.height - 1) * steps[0] + self.width
    }

    /// Managed memory given as the host's is the device's as well: no end of it has to be waited for.
    pub fn take_managed(&mut self, memory: &Memory) {
        let extents = [self.extent(self.source_steps), self.extent(self.target_steps)];
        for (place, bytes) in [&mut self.source, &mut self.target].into_iter().zip(extents) {
            if let Place::Host(address) = *place
                && memory.is_managed(address as u64, bytes)
            {
                *place = Place::Device(address as u64);
            }
        }
    }

    /// Refuses ends that are not what they should be, before anything is queued.
    pub fn check(&self, memory: &Memory) -> Answer {
        for (place, steps, what) in
            [(&self.source, self.source_steps, "source"), (&self.target, self.target_steps, "destination")]
        {
            let bytes = self.extent(steps);
            match place {
                _ if bytes == 0 => {}
                Place::Device(address) => check_range(memory, *address, bytes, what)?,
                Place::Host(address) if *address < 4096 => {
                    return refuse(INVALID_VALUE, format!("the {what} is a null pointer"));
                }
                Place::Host(address) if memory.owns(*address as u64) => {
                    return refuse(
                        INVALID_VALUE,
                        format!("the {what} {address:#x} is a device address where host memory belongs"),
                    );
                }
                Place::Host(_) | Place::Staged(_) => {}
            }
        }
        Ok(())
    }

    /// Copies now.
    pub fn run(&self, memory: &Memory) -> Answer {
        let mut row = vec![];
        for z in 0..self.depth {
            for y in 0..self.height {
                let from = z * self.source_steps[1] + y * self.source_steps[0];
                let to = z * self.target_steps[1] + y * self.target_steps[0];
                self.row(memory, from, to, &mut row).map_err(|e| late(&e, "a copy"))?;
            }
        }
        Ok(())
    }

    fn row(&self, memory: &Memory, from: u64, to: u64, buffer: &mut Vec<u8>) -> Result<(), MemoryError> {
        let n = self.width as usize;
        if n == 0 {
            return Ok(());
        }
        let source: &[u8] = match (&self.source, &self.target) {
            (Place::Device(a), Place::Device(b)) => {
                return memory.copy(b + to, a + from, self.width);
            }
            (Place::Device(a), Place::Host(b)) => {
                // SAFETY: the program gave this host range as the destination.
                let out = unsafe { std::slice::from_raw_parts_mut((b + to as usize) as *mut u8, n) };
                return memory.read(a + from, out);
            }
            (Place::Device(a), Place::Staged(_)) => {
                buffer.resize(n, 0);
                return memory.read(a + from, buffer);
            }
            (Place::Host(a), _) => {
                // SAFETY: the program gave this host range as the source.
                unsafe { std::slice::from_raw_parts((a + from as usize) as *const u8, n) }
            }
            (Place::Staged(bytes), _) => &bytes[from as usize..from as usize + n],
        };
        match &self.target {
            Place::Device(b) => memory.write(b + to, source),
            Place::Host(b) => {
                // SAFETY: as above; the two may overlap.
                unsafe { std::ptr::copy(source.as_ptr(), (b + to as usize) as *mut u8, n) };
                Ok(())
            }
            Place::Staged(_) => Ok(()),
        }
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

impl Fill {
    /// Refuses a range that is not device memory.
    pub fn check(&self, memory: &Memory) -> Answer {
        let size = self.pattern.len() as u64;
        if self.width == 0 || self.height == 0 {
            return Ok(());
        }
        if self.height > 1 && self.pitch < self.width.saturating_mul(size) {
            return refuse(INVALID_VALUE, "the pitch is less than a row");
        }
        if !self.address.is_multiple_of(size) || (self.height > 1 && !self.pitch.is_multiple_of(size)) {
            return refuse(INVALID_VALUE, format!("address and pitch must be multiples of the element size, {size}"));
        }
        let bytes = (self.height - 1).saturating_mul(self.pitch).saturating_add(self.width.saturating_mul(size));
        check_range(memory, self.address, bytes, "destination")
    }

    /// Fills now.
    pub fn run(&self, memory: &Memory) -> Answer {
        for y in 0..self.height {
            if self.width > 0 {
                memory.set(self.address + y * self.pitch, &self.pattern, self.width).map_err(|e| late(&e, "a fill"))?;
            }
        }
        Ok(())
    }
}

/// Refuses a range that does not lie inside one live allocation.
pub fn check_range(memory: &Memory, address: u64, bytes: u64, what: &str) -> Answer {
    let inside = memory.find(address).is_some_and(|a| bytes <= a.size - (address - a.base));
    if inside {
        return Ok(());
    }
    let place = if memory.owns(address) {
        memory.describe(address)
    } else {
        "not a device address at all: a host pointer?".into()
    };
    refuse(INVALID_VALUE, format!("the {what} of {bytes} bytes at {address:#x} is not device memory ({place})"))
}

fn late(error: &MemoryError, what: &str) -> Refusal {
    Refusal { code: ILLEGAL_ADDRESS, message: format!("{what} queued on a stream failed when it ran: {error}") }
}
