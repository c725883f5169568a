//! `docs/mistakes.md` shows what softgpu says of each mistake: here it says so.

use super::{Arg, Arg::*, Device, all};
use softgpu::Rank;

const PAGE: &str = include_str!("../../docs/mistakes.md");

/// The kernels of the page in its order, with blocks, threads and arguments.
fn mistakes() -> [(&'static str, [u32; 2], Vec<Arg>); 10] {
    [
        ("out_of_bounds", [2, 64], vec![Fresh(400), Number(100)]),
        ("misaligned", [1, 16], vec![Zeros(512), Fresh(512)]),
        ("uninitialised_shared", [1, 64], vec![Fresh(256)]),
        ("missing_barrier_write_read", [1, 64], vec![Fresh(256)]),
        ("missing_barrier_read_write", [1, 64], vec![Fresh(256)]),
        ("missing_syncwarp", [1, 32], vec![Fresh(128)]),
        ("missing_copy_wait", [1, 64], vec![Zeros(1024), Fresh(1024)]),
        ("divergent_barrier", [1, 64], vec![Zeros(256)]),
        ("missing_participant", [1, 32], vec![Fresh(128)]),
        ("missing_fence", [16, 64], vec![Fresh(64), Zeros(4), Fresh(4)]),
    ]
}

#[test]
fn the_page_of_mistakes_says_what_softgpu_says() {
    let sections: Vec<&str> = PAGE.split("\n## ").skip(1).take(10).collect();
    for ((kernel, [grid, block], args), section) in mistakes().into_iter().zip(sections) {
        let device = Device::new();
        let (params, _) = device.arguments(&args);
        let report = device.run(kernel, grid, block, params, &all(0, 1));
        let found = report.findings.iter().find(|f| f.rank == Rank::Error);
        let f = found.unwrap_or_else(|| panic!("{kernel}: {report:#?}"));
        let source = f.source.as_ref().unwrap();
        let ([bx, by, bz], [tx, ty, tz]) = (f.block, f.thread);
        let said = format!(
            "{}:{}: {:?}, block ({bx},{by},{bz}), thread ({tx},{ty},{tz}): {}",
            source.file, source.line, f.kind, f.message
        );
        // Lines of the page are broken.
        let words = |text: &str| text.replace("\n>", "\n").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(section.contains(&format!("`{kernel}`")), "the section of {kernel}: {section}");
        assert!(words(section).contains(&words(&said)), "{kernel}: the page lacks: {said}");

        let (params, _) = device.arguments(&args);
        let report = device.run(&format!("{kernel}_fixed"), grid, block, params, &all(0, 1));
        assert!(report.fault.is_none() && report.findings.is_empty(), "{kernel}_fixed: {report:#?}");
    }
}
