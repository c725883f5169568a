//! The list of instructions in the documentation: everything in it runs, and no opcode is missing from it.

use super::support::{load, run};
use softgpu::Options;

const LIST: &str = include_str!("../../docs/instructions.md");

/// Registers with values, and places in every memory, as the forms of the list name them.
const SETUP: &str = "
.shared .align 128 .b8 tile[8192];
.local .align 16 .b8 stack[64];
.reg .b16 %rs<8>; .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .f32 %f<8>; .reg .f64 %fd<8>; .reg .pred %p<4>;
mov.u32 %r2, %tid.x;
shl.b32 %r1, %r2, 7;
ld.param.u64 %rd1, [p];
cvt.u64.u32 %rd3, %r1;
add.u64 %rd1, %rd1, %rd3;
mov.u64 %rd4, tile;
cvta.shared.u64 %rd2, %rd4;
add.u64 %rd2, %rd2, %rd3;
mov.u32 %r3, 3; mov.u32 %r4, 40; mov.u32 %r5, -5; mov.u32 %r6, 6; mov.u32 %r7, 7;
mov.u64 %rd3, 3; mov.u64 %rd4, 40; mov.u64 %rd5, -5; mov.u64 %rd6, 6;
mov.b16 %rs1, 1; mov.b16 %rs2, 20; mov.b16 %rs3, -3; mov.b16 %rs4, 4;
mov.f32 %f1, 0f3f800000; mov.f32 %f2, 0f40200000; mov.f32 %f3, 0fbf800000; mov.f32 %f4, 0f40800000;
mov.f64 %fd1, 0d3ff0000000000000; mov.f64 %fd2, 0d4004000000000000; mov.f64 %fd3, 0dbff0000000000000;
mov.f64 %fd4, %fd2;
setp.eq.u32 %p1, %r2, 0; setp.eq.u32 %p2, %r2, 1; setp.eq.u32 %p3, %r2, 2;
";

fn kernel(body: &str) -> String {
    format!(
        ".version 8.6\n.target sm_90\n.address_size 64\n.const .u32 table[4] = {{1, 2, 3, 4}};\n\
         .visible .entry k(.param .u64 p)\n{{\n{SETUP}{body}\nret;\n}}\n"
    )
}

/// The forms in the list's blocks.
fn forms() -> impl Iterator<Item = &'static str> {
    LIST.split("```ptx\n").skip(1).filter_map(|block| block.split("```").next()).flat_map(str::lines)
}

/// The texts a form stands for: `(a|b)` is one of them, `(a)?` may be missing.
fn texts(form: &str) -> Vec<String> {
    let Some(open) = form.find('(') else {
        return vec![form.to_string()];
    };
    let mut depth = 0;
    let mut cuts = vec![open];
    for (at, c) in form.char_indices().skip(open) {
        depth += i32::from(c == '(') - i32::from(c == ')');
        match c {
            '|' if depth == 1 => cuts.push(at),
            ')' if depth == 0 => {
                cuts.push(at);
                break;
            }
            _ => {}
        }
    }
    let rest = &form[cuts[cuts.len() - 1] + 1..];
    let (rest, optional) = rest.strip_prefix('?').map_or((rest, false), |rest| (rest, true));
    let mut choices: Vec<&str> = cuts.windows(2).map(|w| &form[w[0] + 1..w[1]]).collect();
    if optional {
        choices.push("");
    }
    choices.iter().flat_map(|c| texts(&format!("{}{c}{rest}", &form[..open]))).collect()
}

#[test]
fn every_form_runs() {
    let texts: Vec<String> = forms().flat_map(texts).map(|text| text + ";\n").collect();
    let refused: Vec<String> =
        texts.iter().filter_map(|t| load("sm_90", &kernel(t)).err()).map(|e| e.to_string()).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let blocks = LIST.split("```ptx\n").skip(1).filter_map(|block| block.split("```").next());
    for body in blocks.map(|block| block.lines().flat_map(self::texts).map(|text| text + ";\n").collect::<String>()) {
        let done = run("sm_90", &kernel(&body), 1, 64, &[0; 2048], &Options::default());
        assert!(done.report.fault.is_none(), "{:?}\n{body}", done.report.fault);
    }
}

#[test]
fn alternatives_of_a_form() {
    assert_eq!(texts("add(.sat)?.(u32|s32) x"), ["add.sat.u32 x", "add.sat.s32 x", "add.u32 x", "add.s32 x"]);
    assert_eq!(texts("(a(.b)?|c) y"), ["a.b y", "a y", "c y"]);
}

/// The opcodes of the PTX ISA that a compiler emits for sm_50 to sm_90.
const OPCODES: &str = "abs activemask add addc alloca and applypriority atom bar barrier bfe bfi bfind bmsk bra brev \
    brkpt brx call clz cnot copysign cos createpolicy cvt cvta discard div dp2a dp4a elect ex2 exit fence fma fns \
    getctarank griddepcontrol istypep isspacep ld ldmatrix ldu lg2 lop3 mad mad24 madc mapa match max mbarrier membar \
    min mma mov movmatrix mul mul24 multimem nanosleep neg not or pmevent popc prefetch prefetchu prmt rcp red redux \
    rem ret rsqrt sad selp set setmaxnreg setp shf shfl shl shr sin slct sqrt st stackrestore stacksave stmatrix sub \
    subc suld sured sust suq szext tanh tensormap testp tex tld4 trap txq vabsdiff vabsdiff2 vabsdiff4 vadd vadd2 \
    vadd4 vavrg2 vavrg4 vmad vmax vmax2 vmax4 vmin vmin2 vmin4 vote vset vset2 vset4 vshl vshr vsub vsub2 vsub4 wgmma \
    wmma xor";

#[test]
fn no_opcode_is_missing() {
    let mut listed: Vec<String> = forms().flat_map(texts).collect();
    listed.extend(LIST.split('`').map(str::to_string));
    let listed: Vec<&str> = listed.iter().filter_map(|text| text.split(['.', ' ']).next()).collect();
    for opcode in OPCODES.split_whitespace() {
        let unknown = ["", ".f32"].iter().all(|ty| {
            load("sm_90", &kernel(&format!("{opcode}{ty};"))).is_err_and(|e| {
                ["the instruction is not known", "not supported", "are mma.sync with ldmatrix"]
                    .iter()
                    .any(|end| e.message.ends_with(end))
            })
        });
        assert_eq!(unknown, !listed.contains(&opcode), "{opcode}");
    }
}
