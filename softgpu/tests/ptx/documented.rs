//! The list of instructions in the documentation is the decoder's, every form of it runs, and no opcode is missing.

use super::support::{load, run};
use softgpu::{Options, instructions};

const LIST: &str = include_str!("../../docs/instructions.md");

/// Texts of a form that are run, where it has more.
const MOST: usize = 300;

/// Registers with values, and places in every memory, as [`concrete`] names them.
const SETUP: &str = "
.shared .align 128 .b8 tile[8192];
.local .align 16 .b8 stack[64];
.param .align 16 .b8 slot[16];
.reg .b16 %rs<8>; .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .f32 %f<8>; .reg .f64 %fd<8>; .reg .pred %p<4>, %never;
mov.u32 %r2, %tid.x;
shl.b32 %r1, %r2, 7;
ld.param.u64 %rd1, [p];
ld.param.u64 %rd7, [p];
cvt.u64.u32 %rd3, %r1;
add.u64 %rd1, %rd1, %rd3;
mov.u64 %rd4, tile;
cvta.shared.u64 %rd2, %rd4;
add.u64 %rd2, %rd2, %rd3;
mov.u32 %r3, 3; mov.u32 %r4, 40; mov.u32 %r5, -5; mov.u32 %r6, 6; mov.u32 %r7, 7; mov.u32 %r8, 64;
mov.u64 %rd3, 3; mov.u64 %rd4, 40; mov.u64 %rd5, -5; mov.u64 %rd6, 6;
mov.b16 %rs1, 1; mov.b16 %rs2, 20; mov.b16 %rs3, -3; mov.b16 %rs4, 4;
mov.f32 %f1, 0f3f800000; mov.f32 %f2, 0f40200000; mov.f32 %f3, 0fbf800000; mov.f32 %f4, 0f40800000;
mov.f64 %fd1, 0d3ff0000000000000; mov.f64 %fd2, 0d4004000000000000; mov.f64 %fd3, 0dbff0000000000000;
mov.f64 %fd4, %fd2;
setp.eq.u32 %p1, %r2, 0; setp.eq.u32 %p2, %r2, 1; setp.eq.u32 %p3, %r2, 2; setp.ge.u32 %never, %r2, 64;
";

fn kernel(body: &str) -> String {
    format!(
        ".version 8.6\n.target sm_90\n.address_size 64\n.const .align 16 .u32 table[4] = {{1, 2, 3, 4}};\n\
         .visible .entry k(.param .u64 p, .param .align 16 .b8 q[16])\n{{\n{SETUP}{body}\nret;\n}}\n"
    )
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

/// The type of a modifier as a kind of register: its prefix.
fn registers(word: &str) -> Option<&'static str> {
    Some(match word {
        "b16" | "u16" | "s16" | "f16" | "bf16" => "%rs",
        "b8" | "u8" | "s8" | "b32" | "u32" | "s32" | "f16x2" | "bf16x2" | "u16x2" | "s16x2" | "tf32" => "%r",
        "b64" | "u64" | "s64" => "%rd",
        "f32" => "%f",
        "f64" => "%fd",
        _ => return None,
    })
}

/// An instruction of a text of a form: operands by letter become registers with values and addresses.
fn concrete(text: &str) -> String {
    let (left, right) = text.split_once(' ').unwrap_or((text, ""));
    let left = left.replace("..", ".");
    let words: Vec<&str> = left.split('.').collect();
    let has = |word: &str| words.contains(&word);
    let mut types = words.iter().filter_map(|word| registers(word));
    let first = types.next().unwrap_or("%r");
    let second = types.next().unwrap_or(first);
    let register = |prefix: &str, n: usize| match prefix {
        "%r" | "%rd" => format!("{prefix}{}", n + 3),
        _ => format!("{prefix}{}", n + 1),
    };
    let object = has("mbarrier") || has("cp") && !has("global");
    // all lanes of wmma give one address
    let one = has("wmma");
    let address = match () {
        _ if one && (has("shared") || has("shared::cta")) => "[tile]",
        _ if one => "[%rd7]",
        _ if has("shared") || has("shared::cta") => "[%r1]",
        _ if has("local") => "[stack]",
        _ if has("const") => "[table]",
        _ if has("param") && has("ld") || has("param::entry") => "[q]",
        _ if has("param") || has("param::func") => "[slot]",
        _ if object => "[%rd2]",
        _ => "[%rd1]",
    };
    let count = if has("v4") {
        4
    } else if has("v2") {
        2
    } else {
        1
    };
    let vector: Vec<String> = (0..count).map(|n| register(first, n)).collect();
    let operand = |o: &str| match o {
        "d" => register(first, 0),
        "a" | "b" | "c" => register(first, usize::from(o.as_bytes()[0] - b'`')),
        "x" | "y" => register(second, usize::from(o.as_bytes()[0] - b'w')),
        "p" => "%p1|%p2".into(),
        "v" if count > 1 => format!("{{{}}}", vector.join(", ")),
        "v" => vector[0].clone(),
        "n" => "1".into(),
        "[a]" => address.into(),
        "[b]" => "[%rd1]".into(),
        _ => o.into(),
    };
    let mut operands: Vec<String> = right.split(", ").map(|o| operand(o.trim())).collect();
    if has("L2::cache_hint") {
        operands.push("%rd6".into());
    }
    let mut text = format!("{left} {}", operands.join(", "));
    match words[0] {
        "shfl" | "vote" | "match" | "redux" | "elect" => text.replace_range(text.rfind("%r").unwrap().., "-1"),
        "bar" | "barrier" if has("warp") => text = text.replace("%r4", "-1"),
        "bar" | "barrier" => text = text.replace("%r4", "1").replace("%r5", "64"),
        "bra" => text = text.replace("LABEL", "$next") + ";\n$next:",
        "brx" => text = format!("$list: .branchtargets $next;\n{left} 0, $list;\n$next:"),
        "ret" | "exit" | "trap" | "brkpt" => text = format!("@%never {text}"),
        _ if object && !has("pending_count") => {
            let (init, inval) = ("mbarrier.init.shared.b64 [%r1], 64", "mbarrier.inval.shared.b64 [%r1]");
            text = match words[1] {
                "init" => format!("{text}; {inval}"),
                "inval" => format!("{init}; {text}"),
                _ => format!("{init}; {text}; {inval}"),
            };
        }
        _ => {}
    }
    if text.ends_with(':') { format!("{{ {text} }}\n") } else { format!("{text};\n") }
}

/// Texts of a form, all or so many drawn.
fn chosen(spelled: &str) -> Vec<String> {
    let all = texts(spelled);
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % all.len()
    };
    let picked: Vec<usize> =
        if all.len() <= MOST { (0..all.len()).collect() } else { (0..MOST).map(|_| draw()).collect() };
    picked.into_iter().map(|n| concrete(&all[n])).collect()
}

#[test]
fn every_form_runs() {
    for (family, form, _, spelled) in instructions() {
        let texts = chosen(&spelled);
        for text in &texts {
            if let Err(e) = load("sm_90", &kernel(text)) {
                panic!("{family}, {form}: {text}{e}");
            }
        }
        let done = run("sm_90", &kernel(&texts.concat()), 1, 64, &[0; 2048], &Options::default());
        assert!(done.report.fault.is_none(), "{family}, {form}: {:?}", done.report.fault);
    }
}

/// The table of names in the list says what the decoder takes for them.
#[test]
fn names_stand_for_words() {
    let names: Vec<(&str, String)> = LIST
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `"))
        .map(|(name, words)| (name, format!("({})", words.replace('\\', ""))))
        .collect();
    assert!(names.len() > 10);
    for (_, form, _, spelled) in instructions() {
        // longer names first: HALVES before HALF
        let mut named = names.clone();
        named.sort_by_key(|(name, _)| usize::MAX - name.len());
        let written = named.iter().fold(form.to_string(), |form, (name, words)| form.replace(name, words));
        assert_eq!(written, spelled, "{form}");
    }
}

#[test]
fn alternatives_of_a_form() {
    assert_eq!(texts("add(.sat)?.(u32|s32) x"), ["add.sat.u32 x", "add.sat.s32 x", "add.u32 x", "add.s32 x"]);
    assert_eq!(texts("(a(.b)?|c) y"), ["a.b y", "a y", "c y"]);
    assert_eq!(concrete("cvt.rn.f32.u64 d, x"), "cvt.rn.f32.u64 %f1, %rd4;\n");
}

/// Writes the list anew with `SOFTGPU_WRITE_LIST=1`.
#[test]
fn the_list_is_the_decoders() {
    let (head, _) = LIST.split_once("\n## ").expect("a section");
    let mut expected = head.to_string();
    let mut section = "";
    for (family, form, since, _) in instructions() {
        if family != section {
            expected += if section.is_empty() { "" } else { "```\n" };
            expected += &format!("\n## {family}\n\n```ptx\n");
            section = family;
        }
        expected += form;
        expected += &if since == 0 { "\n".to_string() } else { format!("  // sm_{since}\n") };
    }
    expected += "```\n";
    if std::env::var_os("SOFTGPU_WRITE_LIST").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/instructions.md"), &expected).unwrap();
    } else {
        assert!(expected == LIST, "docs/instructions.md is not the decoder's list: SOFTGPU_WRITE_LIST=1 writes it");
    }
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
    // calls have a syntax of their own
    let mut listed = vec!["call".to_string()];
    for (_, form, _, _) in instructions() {
        let opcodes = form.split(['.', ' ', ')']).next().unwrap_or(form).trim_start_matches('(');
        listed.extend(opcodes.split('|').map(|opcode| opcode.trim_end_matches('(').to_string()));
    }
    for opcode in OPCODES.split_whitespace() {
        let unknown = ["", ".f32"].iter().all(|ty| {
            load("sm_90", &kernel(&format!("{opcode}{ty};"))).is_err_and(|e| {
                ["the instruction is not known", "not supported", "are mma.sync with ldmatrix"]
                    .iter()
                    .any(|end| e.message.ends_with(end))
            })
        });
        assert_eq!(unknown, !listed.iter().any(|o| o == opcode), "{opcode}");
    }
}
