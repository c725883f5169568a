//! Who owns a device's memory, and the buffers of a device by number.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

/// An owner of device memory. When its last clone is dropped, what was allocated for it is freed, and what was recorded
/// over that memory forgotten, at the device's next allocation or recording: views are plain handles and a device is
/// borrowed by whoever uses it, so that nothing can be freed from afar. A view of memory that is gone is refused.
#[derive(Clone, Debug, Default)]
pub struct Owner(Arc<()>);

impl Owner {
    /// A new one, which owns nothing yet.
    pub fn new() -> Owner {
        Owner::default()
    }

    /// The one that is never dropped: for memory that lives as long as its device.
    pub fn forever() -> Owner {
        static FOREVER: LazyLock<Owner> = LazyLock::new(Owner::new);
        FOREVER.clone()
    }
}

/// A device's buffers by number. No number is used twice, so that a view of a buffer that is gone finds none.
pub struct Buffers<B> {
    all: HashMap<usize, (B, Weak<()>)>,
    next: usize,
}

impl<B> Default for Buffers<B> {
    fn default() -> Buffers<B> {
        Buffers { all: HashMap::new(), next: 0 }
    }
}

impl<B> Buffers<B> {
    /// Takes a buffer in, for its number.
    pub fn add(&mut self, owner: &Owner, buffer: B) -> usize {
        self.all.insert(self.next, (buffer, Arc::downgrade(&owner.0)));
        self.next += 1;
        self.next - 1
    }

    /// The buffer of a number, if it is there and its owner too.
    pub fn get(&self, number: usize) -> Option<&B> {
        self.all.get(&number).filter(|(_, owner)| owner.strong_count() > 0).map(|(buffer, _)| buffer)
    }

    /// Whether owners of buffers are gone.
    pub fn has_orphans(&self) -> bool {
        self.all.values().any(|(_, owner)| owner.strong_count() == 0)
    }

    /// Drops the buffers whose owners are gone.
    pub fn sweep(&mut self) {
        self.all.retain(|_, (_, owner)| owner.strong_count() > 0);
    }
}
