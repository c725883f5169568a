//! The modelled devices and the occupancy calculator.

use softgpu::Profile;

#[test]
fn every_name_is_known_and_consistent() {
    for name in Profile::NAMES {
        let p = Profile::named(name).unwrap();
        assert_eq!(p.name, name);
        assert!(p.shared_per_block_optin + p.shared_reserved <= p.shared_per_sm);
        assert_eq!(p.attribute(75), Some((p.sm / 10) as i32));
        assert_eq!(p.attribute(97), Some(p.shared_per_block_optin as i32));
    }
    assert!(Profile::named("sm_42").is_none());
    assert_eq!(Profile::default().attribute(0), None);
    assert_eq!(Profile::default().attribute(100_000), None);
}

/// Rows worked out by hand from the rules in the occupancy calculator.
#[test]
fn occupancy_by_hand() {
    let at = |name: &str, threads, registers, shared| {
        let o = Profile::named(name).unwrap().occupancy(threads, registers, shared);
        (o.blocks, format!("{:?}", o.bound))
    };
    assert_eq!(at("sm_86", 256, 32, 0), (6, "Warps".to_string()));
    assert_eq!(at("sm_86", 64, 32, 0), (16, "Blocks".to_string()));
    assert_eq!(at("sm_86", 256, 128, 0), (2, "Registers".to_string()));
    // 100 KiB / (48 KiB + 1 KiB reserved)
    assert_eq!(at("sm_86", 128, 32, 48 << 10), (2, "Shared".to_string()));
    assert_eq!(at("sm_86", 128, 32, 99 << 10), (1, "Shared".to_string()));
    assert_eq!(at("sm_86", 128, 32, 100 << 10), (0, "TooLarge".to_string()));
    assert_eq!(at("sm_61", 128, 32, 48 << 10), (2, "Shared".to_string()));
    assert_eq!(at("sm_75", 1024, 64, 0), (1, "Warps".to_string()));
    assert_eq!(at("sm_80", 1024, 65, 0), (0, "Registers".to_string()));
    assert_eq!(at("sm_90", 128, 168, 0), (3, "Registers".to_string()));
    assert_eq!(at("sm_89", 1025, 16, 0), (0, "TooLarge".to_string()));
}

#[test]
fn registers_bound_the_block() {
    let p = Profile::default();
    assert_eq!(p.threads_by_registers(64), 1024);
    assert_eq!(p.threads_by_registers(65), 896);
    assert_eq!(p.threads_by_registers(255), 256);
    // what ptxas gives kernels with __launch_bounds__(threads, blocks)
    assert_eq!(p.registers_for_blocks(1024, 1), 64);
    assert_eq!(p.registers_for_blocks(256, 1), 255);
    assert_eq!(p.registers_for_blocks(256, 2), 128);
    assert_eq!(p.registers_for_blocks(256, 3), 80);
    assert_eq!(p.registers_for_blocks(96, 1), 255);
}
