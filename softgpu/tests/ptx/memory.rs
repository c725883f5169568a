//! Asynchronous copies with zero fill, and memory whose contents are given up.

use super::support::{all, kernel, load, run};
use softgpu::{FindingKind, LaunchConfig, Memory, Module, Profile, launch};

/// Sixteen bytes a thread are copied; `tail` are the last operands of the copy.
fn copy(tail: &str) -> Vec<u32> {
    let body = format!(
        ".shared .align 16 .b8 tile[512];\nmov.u32 %r1, %tid.x;\nmul.lo.u32 %r2, %r1, 16;\n\
         mov.u32 %r3, tile;\nadd.u32 %r3, %r3, %r2;\nmul.wide.u32 %x1, %r1, 16;\nadd.s64 %x1, %out, %x1;\n\
         mov.u32 %r9, 0xffffffff;\nst.shared.v4.u32 [%r3], {{%r9, %r9, %r9, %r9}};\n\
         and.b32 %r4, %r1, 3;\nmul.lo.u32 %r4, %r4, 5;\nsetp.eq.u32 %p1, %r4, 5;\n\
         cp.async.cg.shared.global [%r3], [%x1], 16{tail};\ncp.async.commit_group;\ncp.async.wait_group 0;\n\
         ld.shared.v4.u32 {{%r5, %r6, %r7, %r8}}, [%r3];\nst.global.v4.u32 [%x1+512], {{%r5, %r6, %r7, %r8}};"
    );
    let mut start: Vec<u32> = (0..128).map(|n| 0x0101_0101 * (n + 1)).collect();
    start.extend([7; 128]);
    let words = run("sm_80", &kernel("sm_80", &body), 1, 32, &start, &all()).clean();
    assert_eq!(words[..128], start[..128]);
    words[128..].to_vec()
}

#[test]
fn an_asynchronous_copy_fills_what_it_does_not_read_with_zeros() {
    let bytes = |n: usize, l: usize| if n < l { 0xff } else { 0 };
    for (n, &v) in copy(", %r4").iter().enumerate() {
        // a thread reads 0, 5, 10 or 15 of its 16 bytes
        let read = n / 4 % 4 * 5;
        let mask = (0..4).fold(0u32, |m, b| m | bytes(n % 4 * 4 + b, read) << (8 * b));
        assert_eq!(v, (0x0101_0101 * (n as u32 + 1)) & mask, "word {n}");
    }
    for (n, &v) in copy(", %p1").iter().enumerate() {
        // the source is ignored where the predicate holds
        let want = 0x0101_0101 * (n as u32 + 1);
        assert_eq!(v, if n / 4 % 4 == 1 { 0 } else { want }, "word {n}");
    }
    for (n, &v) in copy("").iter().enumerate() {
        assert_eq!(v, 0x0101_0101 * (n as u32 + 1));
    }
}

#[test]
fn a_copy_does_not_read_beyond_the_bytes_it_asks_for() {
    // the last thread's copy begins at the end of the buffer
    let body = ".shared .align 16 .b8 tile[16];\nmov.u32 %r3, tile;\nmov.u32 %r1, BYTES;\n\
        cp.async.cg.shared.global [%r3], [%out+16], 16, %r1;\ncp.async.wait_all;\n\
        ld.shared.u32 %r2, [%r3];\nst.global.u32 [%out], %r2;";
    let none = kernel("sm_80", &body.replace("BYTES", "0"));
    let words = run("sm_80", &none, 1, 1, &[9; 4], &all()).clean();
    assert_eq!(words[0], 0);
    let four = kernel("sm_80", &body.replace("BYTES", "4"));
    let report = run("sm_80", &four, 1, 1, &[9; 4], &all()).report;
    let kinds: Vec<_> = report.findings.iter().map(|f| f.kind).collect();
    assert!(kinds.contains(&FindingKind::OutOfBounds), "{report:#?}");
}

#[test]
fn discarded_memory_holds_nothing() {
    let body = "discard.global.L2 [%out], 128;\nld.global.u32 %r1, [%out+124];\nst.global.u32 [%out+128], %r1;";
    let text = kernel("sm_80", body);
    let report = run("sm_80", &text, 1, 1, &[1; 64], &all()).report;
    assert_eq!(report.findings.len(), 1, "{report:#?}");
    assert_eq!(report.findings[0].kind, FindingKind::Uninitialised);
    assert_eq!(report.findings[0].ptx_line, 12);
    let again = body.replace("\nld", "\nst.global.u32 [%out+124], 5;\nld");
    let words = run("sm_80", &kernel("sm_80", &again), 1, 1, &[1; 64], &all()).clean();
    assert_eq!(words[32], 5);
    let misaligned = kernel("sm_80", "discard.global.L2 [%out+32], 128;");
    let report = run("sm_80", &misaligned, 1, 1, &[1; 64], &all()).report;
    assert_eq!(report.findings[0].kind, FindingKind::Misaligned);
}

#[test]
fn atomics_add_halves_and_keep_subnormals() {
    // f16x2: 32 lanes add 1 and 0.5; the smallest subnormal twice; 2048 + 1 is a tie, and goes to the even 2048
    let body = "mov.b32 %r1, 0x38003c00;\nred.global.add.noftz.f16x2 [%out], %r1;\n\
        mov.u32 %r2, %tid.x;\nsetp.ne.u32 %p1, %r2, 0;\n@%p1 ret;\n.reg .b16 %h<4>;\n\
        mov.b16 %h1, 1;\nred.global.add.noftz.f16 [%out+4], %h1;\n\
        mov.b16 %h2, 0x3c00;\natom.global.add.noftz.f16 %h3, [%out+6], %h2;\n\
        cvt.u32.u16 %r3, %h3;\nst.global.u32 [%out+8], %r3;";
    let start = [0, 0x6800_0001, 9];
    let words = run("sm_75", &kernel("sm_75", body), 1, 32, &start, &all()).clean();
    assert_eq!(words, [0x4c00_5000, 0x6800_0002, 0x6800]);
    // bf16: 256 + 1 is a tie between 256 and 258, and goes to 256; 1 + 1 is 2
    let body = "mov.b32 %r1, 0x3f803f80;\nred.global.add.noftz.bf16x2 [%out], %r1;\n\
        .reg .b16 %h<2>;\nmov.b16 %h1, 0x3f80;\nred.global.add.noftz.bf16 [%out+4], %h1;";
    let start = [0x4380_3f80, 0x0000_4380];
    let words = run("sm_90", &kernel("sm_90", body), 1, 1, &start, &all()).clean();
    assert_eq!(words, [0x4380_4000, 0x0000_4380]);
}

/// Shared memory ends where the last variable does, and dynamic shared memory begins at a multiple of 16: the bytes
/// between belong to no variable.
#[test]
fn shared_memory_ends_with_its_last_variable() {
    let profile = Profile::default();
    let memory = Memory::new(1 << 20);
    let text = ".version 8.6\n.target sm_86\n.address_size 64\n.extern .shared .align 16 .b8 dynamic[];\n\
        .visible .entry k(.param .u32 at)\n{\n.shared .align 4 .b8 fixed[516];\n.reg .b32 %r<4>;\n\
        ld.param.u32 %r1, [at];\nmov.u32 %r2, fixed;\nadd.u32 %r1, %r1, %r2;\nst.shared.u32 [%r1], %r2;\n\
        mov.u32 %r3, dynamic;\nret;\n}\n";
    let module = Module::load(text, &profile, &memory).unwrap();
    let outside = |at: u32, dynamic_shared: u32| {
        let config =
            LaunchConfig { grid: [1, 1, 1], block: [1, 1, 1], dynamic_shared, params: at.to_le_bytes().to_vec() };
        let report = launch(&module, "k", &config, &memory, &profile, &all(), &mut |_| ());
        assert_eq!(report.fault, None);
        let kinds: Vec<FindingKind> = report.findings.iter().map(|f| f.kind).collect();
        assert!(kinds.is_empty() || kinds == [FindingKind::OutOfBounds]);
        !kinds.is_empty()
    };
    for (at, dynamic, want) in [
        (512, 0, false),
        (516, 0, true),
        (524, 0, true),
        (512, 64, false),
        (516, 64, true),
        (524, 64, true),
        (528, 64, false),
        (588, 64, false),
        (592, 64, true),
    ] {
        assert_eq!(outside(at, dynamic), want, "offset {at}, {dynamic} dynamic");
    }
}

#[test]
fn an_array_with_a_number_is_the_address_of_that_element() {
    let body = ".shared .align 8 .b64 tile[4];\nmov.u32 %r1, tile[3];\nmov.u32 %r2, tile+24;\nmov.u32 %r3, tile[0];\n\
        mov.u32 %r4, tile;\nsub.u32 %r1, %r1, %r2;\nsub.u32 %r3, %r3, %r4;\n\
        st.global.u32 [%out], %r1;\nst.global.u32 [%out+4], %r3;\n\
        mov.u64 %x1, table[2];\nld.global.u32 %r5, [%x1];\nst.global.u32 [%out+8], %r5;";
    let text = kernel("sm_80", body).replace(".visible", ".global .align 4 .u32 table[3] = {5, 6, 7};\n.visible");
    assert_eq!(run("sm_80", &text, 1, 1, &[9; 3], &all()).clean(), [0, 0, 7]);
    for (element, why) in [("nobody[1]", "no variable"), ("table[0x7fffffffffffffff]", "beyond all addresses")] {
        let refused = load("sm_80", &text.replace("table[2]", element)).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

/// Threads of several warps write and read bytes that are their own, in words that they share.
#[test]
fn bytes_of_shared_words_are_apart() {
    let body = ".shared .align 4 .b8 tile[256];\nmov.u32 %r1, %tid.x;\nand.b32 %r2, %r1, 31;\nshr.u32 %r3, %r1, 5;\n\
        mul.lo.u32 %r2, %r2, 4;\nadd.u32 %r2, %r2, %r3;\nmov.u32 %r4, tile;\nadd.u32 %r4, %r4, %r2;\n\
        st.shared.u8 [%r4], %r3;\nld.shared.u8 %r5, [%r4];\nadd.u32 %r5, %r5, 1;\nst.shared.u8 [%r4], %r5;\n\
        bar.sync 0;\nshl.b32 %r6, %r1, 2;\nand.b32 %r6, %r6, 127;\nadd.u32 %r7, %r6, 0;\nmov.u32 %r4, tile;\n\
        add.u32 %r6, %r6, %r4;\nld.shared.u32 %r8, [%r6];\nsetp.lt.u32 %p1, %r1, 32;\n\
        cvt.u64.u32 %x1, %r7;\nadd.s64 %x1, %out, %x1;\n@%p1 st.global.u32 [%x1], %r8;";
    let words = run("sm_80", &kernel("sm_80", body), 1, 128, &[0; 32], &all()).clean();
    assert_eq!(words, [0x0403_0201; 32]);
}

/// The system's part of shared memory is apart from the kernel's own, and an overrun does not come to it.
#[test]
fn the_systems_part_of_shared_memory() {
    let body = ".shared .align 4 .b8 tile[64];\nmov.u32 %r1, tile;\nmov.u32 %r2, %reserved_smem_offset_1;\n\
        mov.u32 %r3, %reserved_smem_offset_end;\nsub.u32 %r4, %r3, %r2;\nmov.u32 %r5, %total_smem_size;\n\
        ld.shared.u32 %r6, [%r2];\nadd.u32 %r6, %r6, 5;\nst.shared.u32 [%r2], %r6;\nst.shared.u32 [%r1], 6;\nst.shared.u32 [%r3+-4], 7;\nld.shared.u32 %r6, [%r2];\n\
        st.global.u32 [%out], %r4;\nst.global.u32 [%out+4], %r5;\nst.global.u32 [%out+8], %r6;";
    let text = kernel("sm_80", body);
    assert_eq!(run("sm_80", &text, 1, 1, &[0; 3], &all()).clean(), [512, 64, 5]);
    for beyond in ["[%r1], 6", "[%r3+-4], 7"] {
        let over = beyond.replace("[%r1]", "[%r1+64]").replace("+-4", "");
        let report = run("sm_80", &text.replace(beyond, &over), 1, 1, &[0; 3], &all()).report;
        assert_eq!(report.findings.len(), 1, "{over}: {report:#?}");
        assert_eq!(report.findings[0].kind, FindingKind::OutOfBounds);
    }
}
