//! mbarrier objects, instruction by instruction (PTX ISA, "mbarrier").

use super::support::{all, kernel, run};
use softgpu::{Fault, FindingKind, Options};

/// One thread; `%r1` is the object's address, results go to `[%out]`, `[%out+4]`, ...
fn one(target: &str, body: &str) -> super::support::Run {
    let body = format!(".shared .align 8 .b64 object;\nmov.u32 %r1, object;\n{body}");
    run(target, &kernel(target, &body), 1, 1, &[0; 8], &all())
}

#[test]
fn phases_counts_and_tokens() {
    let words = one(
        "sm_80",
        "mbarrier.init.shared.b64 [%r1], 3;\n\
         mbarrier.arrive.shared.b64 %x1, [%r1];\n\
         mbarrier.pending_count.b64 %r2, %x1;\nst.global.u32 [%out], %r2;\n\
         mbarrier.arrive.noComplete.shared.b64 %x2, [%r1], 1;\n\
         mbarrier.pending_count.b64 %r3, %x2;\nst.global.u32 [%out+4], %r3;\n\
         mbarrier.test_wait.shared.b64 %p1, [%r1], %x1;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out+8], %r4;\n\
         mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 1;\nselp.u32 %r5, 1, 0, %p2;\nst.global.u32 [%out+12], %r5;\n\
         mbarrier.arrive.shared.b64 _, [%r1];\n\
         mbarrier.test_wait.shared.b64 %p1, [%r1], %x1;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out+16], %r4;\n\
         mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 0;\nselp.u32 %r5, 1, 0, %p2;\nst.global.u32 [%out+20], %r5;\n\
         mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 1;\nselp.u32 %r5, 1, 0, %p2;\nst.global.u32 [%out+24], %r5;\n\
         mbarrier.arrive.shared.b64 %x3, [%r1];\n\
         mbarrier.pending_count.b64 %r2, %x3;\nst.global.u32 [%out+28], %r2;\n\
         mbarrier.inval.shared.b64 [%r1];",
    )
    .clean();
    // pending before each arrival; phase 0 is open, "phase -1" is over; then phase 0 is over, 1 is open
    assert_eq!(words, [3, 2, 0, 1, 1, 1, 0, 3]);
}

#[test]
fn a_dropped_arrival_is_expected_no_more() {
    let words = one(
        "sm_80",
        "mbarrier.init.shared.b64 [%r1], 2;\n\
         mbarrier.arrive_drop.shared.b64 %x1, [%r1];\n\
         mbarrier.arrive.shared.b64 %x1, [%r1];\n\
         mbarrier.arrive.shared.b64 %x2, [%r1];\n\
         mbarrier.pending_count.b64 %r2, %x2;\nst.global.u32 [%out], %r2;\n\
         mbarrier.test_wait.shared.b64 %p1, [%r1], %x2;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out+4], %r4;",
    )
    .clean();
    assert_eq!(words[..2], [1, 1]);
}

#[test]
fn transactions_hold_a_phase_open() {
    let words = one(
        "sm_90",
        "mbarrier.init.shared::cta.b64 [%r1], 2;\n\
         mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %x1, [%r1], 48;\n\
         mbarrier.arrive.release.cta.shared::cta.b64 _, [%r1], 1;\n\
         mbarrier.try_wait.shared::cta.b64 %p1, [%r1], %x1, 100;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out], %r4;\n\
         mbarrier.complete_tx.shared::cta.b64 [%r1], 32;\n\
         mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p1, [%r1], 0;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out+4], %r4;\n\
         mbarrier.complete_tx.shared::cta.b64 [%r1], 16;\n\
         mbarrier.try_wait.shared::cta.b64 %p1, [%r1], %x1;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out+8], %r4;",
    )
    .clean();
    assert_eq!(words[..3], [0, 0, 1]);
}

#[test]
fn a_generic_address_names_the_same_object() {
    let words = one(
        "sm_80",
        "cvt.u64.u32 %x1, %r1;\ncvta.shared.u64 %x1, %x1;\nmbarrier.init.b64 [%x1], 1;\n\
         mbarrier.arrive.shared.b64 %x2, [%r1];\n\
         mbarrier.test_wait.b64 %p1, [%x1], %x2;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out], %r4;",
    )
    .clean();
    assert_eq!(words[0], 1);
}

#[test]
fn copies_arrive_when_they_have_landed() {
    // the first poll comes too early, whatever the copy's size; without .noinc nothing is missing at the end
    for noinc in [true, false] {
        let (count, form) = if noinc { (1, ".noinc") } else { (2, "") };
        let body = format!(
            ".shared .align 16 .b8 tile[16];\nmov.u32 %r2, tile;\nmbarrier.init.shared.b64 [%r1], {count};\n\
             cp.async.ca.shared.global [%r2], [%out+16], 16;\ncp.async.mbarrier.arrive{form}.shared.b64 [%r1];\n\
             {}\
             mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;\nselp.u32 %r4, 1, 0, %p1;\nst.global.u32 [%out], %r4;\n\
             WAIT: mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;\n@!%p1 bra WAIT;\n\
             ld.shared.u32 %r5, [%r2+12];\nst.global.u32 [%out+4], %r5;",
            "mbarrier.arrive.shared.b64 _, [%r1];\n".repeat(if noinc { 0 } else { 2 })
        );
        let body = format!(".shared .align 8 .b64 object;\nmov.u32 %r1, object;\n{body}");
        let start = [0, 0, 0, 0, 1, 2, 3, 4];
        let words = run("sm_80", &kernel("sm_80", &body), 1, 1, &start, &all()).clean();
        assert_eq!(words[..2], [0, 4], "noinc: {noinc}");
    }
}

#[test]
fn misuse_is_found_or_ends_the_launch() {
    for (target, body, words) in [
        ("sm_80", "mbarrier.arrive.shared.b64 %x1, [%r1];", "holds no mbarrier object"),
        ("sm_80", "mbarrier.init.shared.b64 [%r1], 0;", "count of 0"),
        ("sm_80", "mbarrier.init.shared.b64 [%r1], 1;\nmbarrier.init.shared.b64 [%r1], 1;", "in use"),
        (
            "sm_80",
            "mbarrier.init.shared.b64 [%r1], 1;\nmov.u64 %x1, 5;\nst.shared.u64 [%r1], %x1;\nmbarrier.arrive.shared.b64 %x1, [%r1];",
            "overwritten",
        ),
        (
            "sm_80",
            "mbarrier.init.shared.b64 [%r1], 1;\nmbarrier.arrive.noComplete.shared.b64 %x1, [%r1], 1;",
            ".noComplete",
        ),
        (
            "sm_80",
            "mbarrier.init.shared.b64 [%r1], 1;\nmbarrier.arrive.shared.b64 %x1, [%r1];\nmbarrier.arrive.shared.b64 %x2, [%r1];\nmbarrier.test_wait.shared.b64 %p1, [%r1], %x1;",
            "too old",
        ),
        ("sm_90", "mbarrier.init.shared.b64 [%r1], 2;\nmbarrier.arrive.shared.b64 %x1, [%r1], 3;", "3 arrivals"),
    ] {
        let report = one(target, body).report;
        let found = report.findings.iter().any(|f| f.kind == FindingKind::BarrierMisuse && f.message.contains(words));
        assert!(found, "{body}: {report:#?}");
        let text = format!(".shared .align 8 .b64 object;\nmov.u32 %r1, object;\n{body}");
        let opts = Options::default();
        let report = run(target, &kernel(target, &text), 1, 1, &[0; 8], &opts).report;
        let fault = report.fault.expect("without checks a fault");
        assert!(matches!(fault, Fault::IllegalInstruction(_)) && fault.to_string().contains(words), "{body}: {fault}");
    }
}
