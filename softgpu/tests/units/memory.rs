//! Placement, limits, initialisation and managed memory.

use softgpu::{Memory, MemoryError};

/// Addresses are multiples of it, and at least so many bytes lie between two allocations.
const UNIT: u64 = 512;

#[test]
fn addresses_are_aligned_and_guarded() {
    let m = Memory::new(16 << 20);
    let a = m.alloc(100, "a").unwrap();
    let b = m.alloc(100, "b").unwrap();
    assert_eq!(a % UNIT, 0);
    assert!(b >= a + 100 + UNIT);
    assert_eq!(m.find(a + 99).unwrap().label, "a");
    assert!(m.find(a + 100).is_none());
    assert_eq!(m.usage().0, 200);
}

#[test]
fn gaps_can_be_wide() {
    const GAP: u64 = 3 << 20;
    let m = Memory::with_gaps(16 << 20, GAP);
    let all: Vec<u64> = (0..100).map(|_| m.alloc(1 << 10, "a").unwrap()).collect();
    assert!(all.windows(2).all(|pair| pair[1] >= pair[0] + 1024 + GAP));
    all.iter().for_each(|&a| m.free(a).unwrap());
    assert!(m.alloc(15 << 20, "large").is_ok());
}

#[test]
fn managed_memory_is_one_for_host_and_device() {
    let m = Memory::new(16 << 20);
    let small = m.alloc(100, "small").unwrap();
    let a = m.alloc_managed(5000, "a").unwrap();
    let after = m.alloc(8, "after").unwrap();
    assert!(a.is_multiple_of(4096) && after >= a + 8192 + UNIT);
    assert!(m.is_managed(a + 4999, 1) && !m.is_managed(a + 4999, 2));
    assert!(!m.is_managed(small, 1) && m.is_initialised(a, 5000));
    m.write(small, &[9; 100]).unwrap();
    m.write(a + 4000, &[1, 2, 3]).unwrap();
    // SAFETY: managed memory.
    unsafe {
        let host = a as *mut u8;
        assert_eq!(std::slice::from_raw_parts(host.add(4000), 4), [1, 2, 3, 0]);
        host.add(4999).write(7);
    }
    let mut out = [0; 1];
    m.read(a + 4999, &mut out).unwrap();
    assert_eq!(out, [7]);
    m.free(a).unwrap();
    assert!(m.write(a, &[1]).is_err());
    // The pages are there again for others, empty.
    for _ in 0..40 {
        let b = m.alloc(1 << 20, "b").unwrap();
        m.read(b, &mut out).unwrap();
        assert_eq!(out, [0]);
        m.free(b).unwrap();
    }
    m.read(small, &mut out).unwrap();
    assert_eq!(out, [9]);
}

#[test]
fn double_free_and_foreign_addresses_are_errors() {
    let m = Memory::new(16 << 20);
    let a = m.alloc(64, "a").unwrap();
    assert!(matches!(m.free(a + 1), Err(MemoryError::NotAnAllocation { .. })));
    m.free(a).unwrap();
    assert!(matches!(m.free(a), Err(MemoryError::DoubleFree { .. })));
    assert!(matches!(m.free(12), Err(MemoryError::NotAnAllocation { .. })));
    assert!(matches!(m.read(a, &mut [0; 4]), Err(MemoryError::OutOfBounds { .. })));
}

#[test]
fn initialisation_travels_with_copies() {
    let m = Memory::new(16 << 20);
    let a = m.alloc(64, "a").unwrap();
    let b = m.alloc(64, "b").unwrap();
    m.write(a, &[7; 32]).unwrap();
    assert!(m.is_initialised(a, 32) && !m.is_initialised(a, 33));
    m.copy(b, a, 64).unwrap();
    assert!(m.is_initialised(b, 32) && !m.is_initialised(b + 32, 1));
    m.set(b, &[1, 2, 3, 4], 16).unwrap();
    assert!(m.is_initialised(b, 64));
    let mut out = [0; 8];
    m.read(b, &mut out).unwrap();
    assert_eq!(out, [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[test]
fn the_limit_holds_and_freed_addresses_come_back_late() {
    let m = Memory::new(4 << 20);
    let a = m.alloc(3 << 20, "a").unwrap();
    assert!(matches!(m.alloc(2 << 20, "b"), Err(MemoryError::OutOfMemory { .. })));
    m.free(a).unwrap();
    let b = m.alloc(3 << 20, "b").unwrap();
    assert_ne!(a, b);
    assert_eq!(m.freed(a + 5).unwrap().label, "a");
    for _ in 0..100 {
        let c = m.alloc(1 << 20, "c").unwrap();
        m.free(c).unwrap();
    }
}
