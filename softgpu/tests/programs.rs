//! The programs of `clients/runtime`, compiled by nvcc and run by `softgpu run`: each has the outcome that
//! `programs.txt` there says.

mod common;

use common::fetched;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

const SOFTGPU: &str = env!("CARGO_BIN_EXE_softgpu");

/// nvcc: the one that the tests have fetched, or another that `SOFTGPU_NVCC` names.
fn compiler() -> PathBuf {
    std::env::var_os("SOFTGPU_NVCC").map_or_else(|| fetched("ptxas/nvidia/cu13/bin/nvcc"), PathBuf::from)
}

/// NVIDIA's runtime beside that nvcc. (Python's packages have it under its versioned name only.)
fn nvidias_runtime() -> PathBuf {
    compiler().ancestors().nth(2).unwrap().join("lib/libcudart.so.13")
}

/// Options for nvcc to compile for CUDA 12: that version's headers, and its library under the name that is linked.
fn cuda12() -> [String; 2] {
    static LINK: OnceLock<PathBuf> = OnceLock::new();
    let runtime = compiler().ancestors().nth(3).unwrap().join("cuda_runtime");
    let link = LINK.get_or_init(|| {
        let link = folder().join("12");
        std::fs::create_dir_all(&link).unwrap();
        std::os::unix::fs::symlink(runtime.join("lib/libcudart.so.12"), link.join("libcudart.so")).unwrap();
        link
    });
    [format!("-I{}", runtime.join("include").display()), format!("-L{}", link.display())]
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/runtime")
}

/// A line of `programs.txt`.
struct Program {
    name: String,
    options: Vec<String>,
    arguments: Vec<String>,
    code: i32,
    words: Vec<String>,
}

fn programs() -> Vec<Program> {
    let text = std::fs::read_to_string(sources().join("programs.txt")).unwrap();
    let bugs = std::fs::read_to_string(sources().join("bugs.cu")).unwrap();
    let mark = |word: &str| match word.split_once('@') {
        Some((before, name)) => {
            let line = bugs.lines().position(|line| line.contains(&format!("; // {name}: ")));
            format!("{before}{}", line.unwrap_or_else(|| panic!("bugs.cu marks no {name}")) + 1)
        }
        None => word.to_string(),
    };
    let list = |text: &str, by: char| -> Vec<String> {
        text.split(by).map(str::trim).filter(|word| !word.is_empty()).map(String::from).collect()
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, options, arguments, code, words] = parts[..] else { panic!("programs.txt: {line}") };
        Program {
            name: name.into(),
            options: list(options, ' '),
            arguments: list(arguments, ' '),
            code: code.parse().unwrap(),
            words: list(words, ';').iter().map(|word| mark(word)).collect(),
        }
    };
    lines.map(read).collect()
}

/// Where the programs are compiled to; empty at first.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    })
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs `softgpu nvcc`, in the folder of the sources.
fn nvcc(arguments: &[&str]) -> Output {
    let mut command = Command::new(SOFTGPU);
    command.arg("nvcc").args(arguments).current_dir(sources());
    command.env("SOFTGPU_NVCC", compiler()).output().unwrap()
}

/// Compiles a program when it is first asked for, with the architecture of the device that runs it.
fn compile(name: &str, options: &[&str]) -> PathBuf {
    static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut done = DONE.lock().unwrap_or_else(|p| p.into_inner());
    let file = if options.contains(&"cuda12") { format!("{name}-12") } else { name.into() };
    let program = folder().join(&file);
    if done.contains(&file) {
        return program;
    }
    let twelve = cuda12();
    let options = options.iter().flat_map(|option| match *option {
        "cuda12" => twelve.iter().map(String::as_str).collect(),
        other => vec![other],
    });
    let options: Vec<&str> = options.collect();
    let source = format!("{name}.cu");
    let output =
        nvcc(&[&["-std=c++17", "-arch=sm_86", &source, "-o", program.to_str().unwrap()], &options[..]].concat());
    assert!(output.status.success(), "{name} does not compile: {}", text(&output));
    done.push(file);
    program
}

/// `softgpu run` with its options, a program and its arguments.
fn run(options: &[&str], program: &Path, arguments: &[String]) -> Output {
    let mut command = Command::new(SOFTGPU);
    command.arg("run").args(options).arg("--").arg(program).args(arguments);
    for variable in ["SOFTGPU_CHECK", "SOFTGPU_DEVICE", "SOFTGPU_QUIET"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

#[test]
fn programs_have_their_outcomes() {
    assert!(outcomes(false) > 6);
}

#[test]
#[ignore = "long to compile"]
fn slow_programs_have_their_outcomes() {
    assert!(outcomes(true) > 0);
}

/// The text without what another nvcc may change: the folder and lines of CUDA's headers, and the lines of the PTX.
fn of_any_compiler(text: &str) -> String {
    let lines = text.lines().map(|line| match (line.find(" /"), line.find("/include/")) {
        (Some(from), Some(to)) if from < to => format!("{} {}\n", &line[..from], &line[to + "/include/".len()..]),
        _ => format!("{line}\n"),
    });
    let mut text: String = lines.collect();
    for mark in [".hpp:", "PTX line "] {
        let parts = text.split(mark).enumerate();
        let digit = |c: char| c.is_ascii_digit();
        text = parts.map(|(n, part)| if n == 0 { part } else { part.trim_start_matches(digit) }).collect();
    }
    text
}

/// What docs/mistakes.md shows of each mistake is what is printed; its corrected twin has no finding.
#[test]
fn mistakes_are_shown_as_their_page_says() {
    let page = include_str!("../docs/mistakes.md");
    let source = std::fs::read_to_string(sources().join("mistakes.cu")).unwrap();
    let program = compile("mistakes", &[]);
    let folder = format!("{}/", sources().display());
    let shown: Vec<&str> = page.split("```text\n$ softgpu run -- ./mistakes ").skip(1).collect();
    assert_eq!(shown.len(), 10);
    for block in shown {
        let (name, rest) = block.split_once('\n').unwrap();
        let expected = rest.split_once("```").unwrap().0;
        let output = run(&[], &program, &[name.into()]);
        let said = text(&output).replace(&folder, "");
        assert_eq!(of_any_compiler(&said), of_any_compiler(expected), "{name}");
        assert_eq!(output.status.code(), Some(if name == "early" { 1 } else { 3 }), "{name}");
        // What is found is found where the source says that the mistake is.
        let line = |number: &str| source.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap();
        for place in expected.split("mistakes.cu:").skip(1).map(|p| p.split([' ', ')', '\n']).next().unwrap()) {
            assert!(line(place).ends_with(&format!("// {name}")), "{name}: line {place} is {}", line(place));
        }
        let output = run(&[], &program, &[name.into(), "corrected".into()]);
        let said = text(&output);
        assert!(output.status.success() && said.contains("softgpu: 0 findings"), "{name} corrected: {said}");
    }
}

/// Compiles and runs the programs that are slow to compile, or the others; how many there are.
fn outcomes(slow: bool) -> usize {
    let (mut compiled, mut wrong) = (HashSet::new(), Vec::new());
    for program in programs().iter().filter(|program| program.options.iter().any(|o| o == "slow") == slow) {
        let options: Vec<&str> = program.options.iter().map(String::as_str).filter(|o| *o != "slow").collect();
        let file = compile(&program.name, &options);
        compiled.insert(program.name.clone());
        let output = run(&[], &file, &program.arguments);
        let (code, text) = (output.status.code(), text(&output));
        // The loader finds NVIDIA's version nodes.
        assert!(!text.contains("no version information"), "{text}");
        let missing: Vec<&String> = program.words.iter().filter(|word| !text.contains(*word)).collect();
        if code != Some(program.code) || !missing.is_empty() {
            let what = format!("{} {}", program.name, program.arguments.join(" "));
            wrong.push(format!("{what}: exit code {code:?}, not {}; without {missing:?}:\n{text}", program.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    compiled.len()
}

/// A program too small to take long, which writes a number by a kernel.
const SMALL: &str = "#include <cstdio>\n__global__ void one(int *x) { *x = 1; }\n\
    int main() { int *x, r = 0; cudaMalloc(&x, 4); one<<<1, 1>>>(x); cudaMemcpy(&r, x, 4, cudaMemcpyDeviceToHost);\n\
    printf(\"%d %s\\n\", r, cudaGetErrorName(cudaGetLastError())); return r != 1; }\n";

/// The file with [`SMALL`].
fn small_source() -> &'static Path {
    static SOURCE: OnceLock<PathBuf> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let source = folder().join("small.cu");
        std::fs::write(&source, SMALL).unwrap();
        std::os::unix::fs::symlink(nvidias_runtime(), folder().join("libcudart.so")).unwrap();
        source
    })
}

/// Compiles [`SMALL`] by nvcc itself, against NVIDIA's runtime.
fn small(name: &str, options: &[&str]) -> PathBuf {
    let (source, program) = (small_source(), folder().join(name));
    let mut command = Command::new(compiler());
    let output = command.arg("-L").arg(folder()).args(options).arg(source).arg("-o").arg(&program).output().unwrap();
    assert!(output.status.success(), "{name} does not compile: {}", text(&output));
    program
}

const SHARED: [&str; 2] = ["-cudart", "shared"];

#[test]
fn ptx_is_found_in_what_nvcc_writes() {
    let several = "-gencode=arch=compute_75,code=[sm_75,compute_75] -gencode=arch=compute_90,code=compute_90";
    let several: Vec<&str> = several.split(' ').collect();
    for (name, mode) in [("none", "--compress-mode=none"), ("speed", "--compress-mode=speed"), ("concat", "--concat")] {
        let program = small(name, &[&SHARED, &several[..], &[mode]].concat());
        let output = run(&["--device", "sm_80"], &program, &[]);
        assert_eq!(output.status.code(), Some(0), "{mode}: {}", text(&output));
    }
}

#[test]
fn machine_code_alone_is_refused_and_softgpu_nvcc_adds_ptx() {
    let cubin = "-gencode=arch=compute_86,code=sm_86";
    let output = run(&[], &small("cubin", &[&SHARED[..], &[cubin]].concat()), &[]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("machine code for sm_86") && said.contains("code=compute_86"), "{said}");
    assert!(said.contains("0 cudaErrorNoKernelImageForDevice"), "{said}");
    for (name, options) in [("gencode", vec![cubin]), ("code", vec!["-arch=compute_86", "-code=sm_86"])] {
        let program = folder().join(name);
        let (source, program) = (small_source().to_str().unwrap(), program.to_str().unwrap());
        let output = nvcc(&[&options[..], &[source, "-o", program]].concat());
        assert!(output.status.success(), "{}", text(&output));
        let output = run(&[], Path::new(program), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
}

/// Compiles a C program; the host's compiler is the one that nvcc uses.
fn cc(arguments: &[&str]) {
    let output = Command::new("cc").args(arguments).current_dir(folder()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn what_cannot_work_is_said_before_the_start() {
    let refused = |program: &Path, parts: &[&str]| {
        let output = run(&[], program, &[]);
        let said = text(&output);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "without {parts:?}: {said}");
    };
    // nvcc links the runtime in if it is not told otherwise.
    refused(&small("static", &[]), &["-cudart shared", "softgpu nvcc"]);
    // An RPATH of the old kind comes before LD_LIBRARY_PATH.
    let rpath = format!("-Xlinker=--disable-new-dtags,-rpath,{}", nvidias_runtime().parent().unwrap().display());
    refused(&small("rpath", &[&SHARED[..], &[&rpath]].concat()), &["RPATH", "libcudart.so.13"]);
    // Libraries of kernels, by their names.
    std::fs::write(folder().join("blas.c"), "int cublasCreate_v2(void) { return 0; }\n").unwrap();
    std::fs::write(
        folder().join("user.c"),
        "int cublasCreate_v2(void); int main(void) { return cublasCreate_v2(); }\n",
    )
    .unwrap();
    cc(&["-shared", "-Wl,-soname,libcublas.so.13", "blas.c", "-o", "libcublas.so.13"]);
    cc(&["user.c", "-L.", "-l:libcublas.so.13", "-Wl,-rpath,.", "-o", "user"]);
    refused(&folder().join("user"), &["cuBLAS", "does not have"]);
    refused(Path::new("/no/such/program"), &["there is no program /no/such/program"]);
}

#[test]
fn exit_codes_and_findings_of_other_programs() {
    let shell = Path::new("sh");
    let of = |script: &str| run(&[], shell, &["-c".into(), script.into()]);
    assert_eq!(of("exit 0").status.code(), Some(0));
    assert_eq!(of("exit 7").status.code(), Some(7));
    assert_eq!(of("kill -9 $$").status.code(), Some(128 + 9));
    assert_eq!(run(&["--check", "rice"], &small("checks", &SHARED), &[]).status.code(), Some(1));
    let wrong = Command::new(SOFTGPU).arg("run").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));

    // Findings of each process that a program starts, in one file.
    let (bugs, file) = (compile("bugs", &[]), folder().join("all.json"));
    let both = format!("{0} bounds; {0} freed; {0} race corrected", bugs.display());
    let output = run(&["--findings", file.to_str().unwrap()], shell, &["-c".into(), both]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let found: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut kinds: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    kinds.sort();
    assert_eq!(kinds, ["out_of_bounds", "use_after_free"]);
}
