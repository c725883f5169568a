//! Branch tables, calls, `printf`, `trap` and its kin.

use super::support::{all, kernel, run};
use softgpu::{Fault, Options};

#[test]
fn an_indexed_branch_goes_where_its_index_says() {
    let body = "mov.u32 %r1, %tid.x;\nand.b32 %r2, %r1, 3;\n\
        ts: .branchtargets A, B, C, B;\nbrx.idx %r2, ts;\n\
        A: mov.u32 %r3, 100;\nbra DONE;\nB: add.u32 %r3, %r2, 200;\nbra DONE;\nC: mov.u32 %r3, 300;\n\
        DONE: mul.wide.u32 %x1, %r1, 4;\nadd.s64 %x1, %out, %x1;\nst.global.u32 [%x1], %r3;";
    for seed in [0, 1, 2] {
        let opts = Options { seed, ..all() };
        let words = run("sm_80", &kernel("sm_80", body), 1, 64, &[0; 64], &opts).clean();
        for (n, &v) in words.iter().enumerate() {
            assert_eq!(v, [100, 201, 300, 203][n % 4], "thread {n}, seed {seed}");
        }
    }
    let beyond = body.replace("and.b32 %r2, %r1, 3", "and.b32 %r2, %r1, 7");
    let report = run("sm_80", &kernel("sm_80", &beyond), 1, 32, &[0; 32], &all()).report;
    let fault = report.fault.expect("a fault");
    assert!(matches!(fault, Fault::IllegalInstruction(_)), "{fault}");
    assert!(fault.to_string().contains("4 targets"), "{fault}");
}

/// The factorial of the lane's number modulo 8 by recursion: frames of different depth in one warp.
const RECURSION: &str = ".version 8.6\n.target sm_80\n.address_size 64\n\
    .func (.param .b32 result) factorial(.param .b32 n);\n\
    .func (.param .b32 result) factorial(.param .b32 n)\n{\n\
    .reg .b32 %r<8>;\n.reg .pred %p;\nld.param.u32 %r1, [n];\nmov.u32 %r2, 1;\n\
    setp.lt.u32 %p, %r1, 2;\n@%p bra LEAF;\nsub.u32 %r3, %r1, 1;\n{\n.param .b32 a;\n.param .b32 b;\n\
    st.param.b32 [a], %r3;\ncall.uni (b), factorial, (a);\nld.param.b32 %r4, [b];\n}\n\
    mul.lo.u32 %r2, %r1, %r4;\nLEAF:\nst.param.b32 [result], %r2;\nret;\n}\n\
    .visible .entry k(.param .u64 p)\n{\n.reg .b64 %x<4>;\n.reg .b32 %r<8>;\n\
    ld.param.u64 %x1, [p];\nmov.u32 %r1, %tid.x;\nand.b32 %r2, %r1, 7;\n{\n.param .b32 a;\n.param .b32 b;\n\
    st.param.b32 [a], %r2;\ncall (b), factorial, (a);\nld.param.b32 %r3, [b];\n}\n\
    mul.wide.u32 %x2, %r1, 4;\nadd.s64 %x1, %x1, %x2;\nst.global.u32 [%x1], %r3;\nret;\n}\n";

#[test]
fn functions_call_themselves_to_different_depths() {
    let words = run("sm_80", RECURSION, 1, 64, &[0; 64], &all()).clean();
    for (n, &v) in words.iter().enumerate() {
        assert_eq!(v, (1..=(n as u32 & 7)).product::<u32>(), "thread {n}");
    }
    let endless = RECURSION.replace("setp.lt.u32 %p, %r1, 2", "setp.eq.u32 %p, %r1, 77");
    let fault = run("sm_80", &endless, 1, 32, &[0; 32], &all()).report.fault;
    let fault = fault.expect("a fault").to_string();
    assert!(fault.contains("stack overflow"), "{fault}");
}

/// A host thread's later blocks start like its first.
#[test]
fn every_block_calls() {
    let text = RECURSION.replace(
        "mov.u32 %r1, %tid.x;\nand",
        "mov.u32 %r1, %tid.x;\nmov.u32 %r4, %ctaid.x;\nmad.lo.u32 %r1, %r4, 48, %r1;\nand",
    );
    for threads in [1, 0] {
        let opts = Options { threads, ..all() };
        let words = run("sm_80", &text, 9, 48, &[0; 9 * 48], &opts).clean();
        for (n, &v) in words.iter().enumerate() {
            assert_eq!(v, (1..=(n as u32 & 7)).product::<u32>(), "thread {n}");
        }
    }
}

#[test]
fn a_call_through_a_register() {
    let text = ".version 8.6\n.target sm_80\n.address_size 64\n\
        .func (.param .b32 result) twice(.param .b32 n)\n{\n.reg .b32 %r<3>;\nld.param.u32 %r1, [n];\n\
        add.u32 %r2, %r1, %r1;\nst.param.b32 [result], %r2;\nret;\n}\n\
        .func (.param .b32 result) square(.param .b32 n)\n{\n.reg .b32 %r<3>;\nld.param.u32 %r1, [n];\n\
        mul.lo.u32 %r2, %r1, %r1;\nst.param.b32 [result], %r2;\nret;\n}\n\
        .visible .entry k(.param .u64 p)\n{\n.reg .b64 %x<6>;\n.reg .b32 %r<8>;\n.reg .pred %p;\n\
        ld.param.u64 %x1, [p];\nmov.u32 %r1, %tid.x;\nmov.u64 %x2, twice;\nmov.u64 %x3, square;\n\
        and.b32 %r2, %r1, 1;\nsetp.eq.u32 %p, %r2, 0;\nselp.b64 %x4, %x2, %x3, %p;\n{\n\
        .param .b32 a;\n.param .b32 b;\nst.param.b32 [a], %r1;\n\
        proto: .callprototype (.param .b32 _) _ (.param .b32 _);\ncall (b), %x4, (a), proto;\n\
        ld.param.b32 %r3, [b];\n}\nmul.wide.u32 %x5, %r1, 4;\nadd.s64 %x1, %x1, %x5;\n\
        st.global.u32 [%x1], %r3;\nret;\n}\n";
    let words = run("sm_80", text, 1, 32, &[0; 32], &all()).clean();
    for (n, &v) in words.iter().enumerate() {
        let n = n as u32;
        assert_eq!(v, if n.is_multiple_of(2) { 2 * n } else { n * n });
    }
}

#[test]
fn trap_and_brkpt_end_the_launch() {
    for (instruction, word) in [("trap", "trap"), ("brkpt", "no debugger")] {
        let body =
            format!("mov.u32 %r1, %tid.x;\nsetp.eq.u32 %p1, %r1, 5;\n@%p1 {instruction};\nst.global.u32 [%out], %r1;");
        let opts = Options::default();
        let report = run("sm_80", &kernel("sm_80", &body), 1, 32, &[0], &opts).report;
        let fault = report.fault.expect("a fault");
        assert!(matches!(fault, Fault::Trap(_)), "{fault}");
        let text = fault.to_string();
        assert!(text.contains(word), "{text}");
        assert!(text.contains("thread (5, 0, 0)"), "{text}");
        assert!(text.contains("PTX line 13"), "{text}");
        // nobody takes that way: nothing happens
        let never = kernel("sm_80", &body.replace("%r1, 5", "%r1, 99"));
        let report = run("sm_80", &never, 1, 32, &[0], &opts).report;
        assert!(report.fault.is_none(), "{report:#?}");
    }
}

#[test]
fn printf_prints_each_thread_of_each_block_in_order() {
    let text = r#".version 8.6
.target sm_80
.address_size 64
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 values);
.global .align 1 .b8 format[32] = {98, 37, 100, 32, 116, 37, 117, 32, 37, 46, 50, 102, 32, 37, 115, 32, 37, 37, 32, 37, 108, 108, 120, 32, 37, 99, 10};
.global .align 1 .b8 word[4] = {104, 105};
.visible .entry k(.param .u64 p)
{
.local .align 8 .b8 frame[48];
.reg .b64 %x<8>;
.reg .b32 %r<8>;
.reg .f64 %d<3>;
mov.u64 %x1, frame;
cvta.local.u64 %x2, %x1;
mov.u32 %r1, %ctaid.x;
sub.u32 %r1, %r1, 1;
mov.u32 %r2, %tid.x;
cvt.rn.f64.u32 %d1, %r2;
add.f64 %d1, %d1, 0d3FD0000000000000;
st.local.u32 [frame], %r1;
st.local.u32 [frame+4], %r2;
st.local.f64 [frame+8], %d1;
mov.u64 %x3, word;
cvta.global.u64 %x3, %x3;
st.local.u64 [frame+16], %x3;
mov.u64 %x4, 0xfeedfacecafe;
st.local.u64 [frame+24], %x4;
mov.u32 %r3, 33;
st.local.u32 [frame+32], %r3;
mov.u64 %x5, format;
cvta.global.u64 %x5, %x5;
{
.param .b64 a;
.param .b64 b;
.param .b32 c;
st.param.b64 [a], %x5;
st.param.b64 [b], %x2;
call.uni (c), vprintf, (a, b);
ld.param.b32 %r4, [c];
}
ret;
}
"#;
    for (seed, threads) in [(0, 1), (0, 2), (7, 2)] {
        let opts = Options { seed, threads, ..all() };
        let run = run("sm_80", text, 3, 2, &[0], &opts);
        let mut want = String::new();
        for block in -1..=1 {
            for thread in 0..2 {
                want += &format!("b{block} t{thread} {thread}.25 hi % feedfacecafe !\n");
            }
        }
        assert_eq!(run.printed, want, "seed {seed}, {threads} threads");
        run.clean();
    }
}
