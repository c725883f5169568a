//! Copies and fills: checked when they are queued, run later.

use crate::driver::abi::*;
use crate::driver::objects::*;
use crate::memory::{Memory, MemoryError};
use std::sync::Arc;

impl Place {
    /// What a unified address means: device memory if the device owns it, else the host's.
    pub fn unified(memory: &Memory, address: HostAddress) -> Place {
        let number = address.number() as u64;
        if memory.owns(number) { Place::Device(number) } else { Place::Host(address) }
    }
}

impl Session {
    /// Queues a copy and waits as far as the rules say; without a stream it is of a synchronous form.
    ///
    /// What each waits for follows the driver API's "API synchronization behavior". Where the text leaves room the
    /// later moment is taken: a copy from pageable memory is staged at the call and lands late, one from pinned
    /// memory is read late. A copy to pageable memory returns when done, in its asynchronous form too.
    pub fn copy(&mut self, mut copy: Copy, stream: Option<Handle>) -> Answer {
        let memory = &self.driver.memory;
        copy.take_managed(memory);
        copy.check(memory, self.captures_on(stream.unwrap_or(0)))?;
        if stream.is_none() {
            self.not_while_capturing(called())?;
        }
        let queue = self.stream(stream.unwrap_or(0))?;
        let capturing = self.streams[&queue].capture.is_some();
        let mut wait = false;
        match (&copy.source, &copy.target) {
            (Place::Host(_), Place::Host(_)) => wait = true,
            (Place::Host(from), Place::Device(_)) => {
                let bytes = copy.extent(copy.source_steps);
                if self.is_pinned(*from, bytes) {
                    wait = stream.is_none();
                } else if !capturing && bytes > 0 {
                    // SAFETY: the program promised this range as the source of this copy.
                    copy.source = Place::Staged(Arc::new(unsafe { from.bytes(bytes as usize) }.to_vec()));
                }
            }
            (_, Place::Host(to)) => {
                wait = stream.is_none() || !self.is_pinned(*to, copy.extent(copy.target_steps));
            }
            _ => {}
        }
        if let (true, Some(id)) = (wait, self.submit(queue, Work::Copy(copy), called())?) {
            self.complete(&[id]);
            self.current()?;
        }
        Ok(())
    }

    fn is_pinned(&self, address: HostAddress, bytes: u64) -> bool {
        let address = address.number() as u64;
        self.pinned
            .range(..=address)
            .next_back()
            .is_some_and(|(base, p)| bytes <= (base + p.bytes).saturating_sub(address))
    }
}

impl Copy {
    /// Managed memory given as the host's is the device's as well: no end of it has to be waited for.
    pub fn take_managed(&mut self, memory: &Memory) {
        let extents = [self.extent(self.source_steps), self.extent(self.target_steps)];
        for (place, bytes) in [&mut self.source, &mut self.target].into_iter().zip(extents) {
            if let Place::Host(address) = *place {
                let address = address.number() as u64;
                if memory.is_managed(address, bytes) {
                    *place = Place::Device(address);
                }
            }
        }
    }

    /// Refuses ends that are not what they should be, before anything is queued; `later` for work of a graph.
    pub fn check(&self, memory: &Memory, later: bool) -> Answer {
        for (place, steps, what) in
            [(&self.source, self.source_steps, "source"), (&self.target, self.target_steps, "destination")]
        {
            let bytes = self.extent(steps);
            match place {
                _ if bytes == 0 => {}
                Place::Device(address) => check_range(memory, *address, bytes, what, later)?,
                Place::Host(host) => {
                    let address = host.number();
                    valid(address >= 4096, format_args!("the {what} is a null pointer"))?;
                    let foreign = format_args!("the {what} {address:#x} is a device address where host memory belongs");
                    valid(!memory.owns(address as u64), foreign)?;
                }
                Place::Staged(_) => {}
            }
        }
        Ok(())
    }

    /// Copies now.
    pub fn run(&self, memory: &Memory) -> Answer {
        for z in 0..self.depth {
            for y in 0..self.height {
                let from = z * self.source_steps[1] + y * self.source_steps[0];
                let to = z * self.target_steps[1] + y * self.target_steps[0];
                self.row(memory, from, to).map_err(|e| late(&e, "a copy"))?;
            }
        }
        Ok(())
    }

    fn row(&self, memory: &Memory, from: u64, to: u64) -> Result<(), MemoryError> {
        let n = self.width as usize;
        if n == 0 {
            return Ok(());
        }
        let source: &[u8] = match (&self.source, &self.target) {
            (Place::Device(a), Place::Device(b)) => return memory.copy(b + to, a + from, self.width),
            (Place::Device(a), Place::Host(b)) => {
                // SAFETY: a row of the range that the program promised as the destination of this copy.
                return memory.read(a + from, unsafe { b.plus(to).bytes_mut(n) });
            }
            // SAFETY: a row of the range that the program promised as the source of this copy.
            (Place::Host(a), _) => unsafe { a.plus(from).bytes(n) },
            (Place::Device(_), Place::Staged(_)) => return Ok(()),
            (Place::Staged(bytes), _) => &bytes[from as usize..from as usize + n],
        };
        match &self.target {
            Place::Device(b) => memory.write(b + to, source),
            Place::Host(b) => {
                // SAFETY: a row of the range that the program promised as the destination; the source may overlap it.
                unsafe { std::ptr::copy(source.as_ptr(), b.plus(to).pointer(), n) };
                Ok(())
            }
            Place::Staged(_) => Ok(()),
        }
    }
}

impl Fill {
    /// Refuses a range that is not device memory.
    pub fn check(&self, memory: &Memory, later: bool) -> Answer {
        let size = self.pattern.len() as u64;
        if self.width == 0 || self.height == 0 {
            return Ok(());
        }
        let several = self.height > 1;
        valid(!several || self.pitch >= self.width.saturating_mul(size), "the pitch is less than a row")?;
        let aligned = self.address.is_multiple_of(size) && (!several || self.pitch.is_multiple_of(size));
        valid(aligned, format_args!("address and pitch must be multiples of the element size, {size}"))?;
        let bytes = (self.height - 1).saturating_mul(self.pitch).saturating_add(self.width.saturating_mul(size));
        check_range(memory, self.address, bytes, "destination", later)
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

/// Refuses a range that does not lie inside one live allocation, or for work of a graph in one that it may make.
fn check_range(memory: &Memory, address: u64, bytes: u64, what: &str, later: bool) -> Answer {
    let found = if later { memory.find_reserved(address) } else { memory.find(address) };
    let inside = found.is_some_and(|a| bytes <= a.size - (address - a.base));
    if inside {
        return Ok(());
    }
    let place = if memory.owns(address) {
        memory.describe(address)
    } else {
        "not a device address at all: a host pointer?".into()
    };
    refuse(INVALID_VALUE, format_args!("the {what} of {bytes} bytes at {address:#x} is not device memory ({place})"))
}

fn late(error: &MemoryError, what: &str) -> Refusal {
    Refusal { code: ILLEGAL_ADDRESS, message: format!("{what} queued on a stream failed when it ran: {error}") }
}
