//! What a profiler sees: NVTX ranges, received by a small library that stands in for one.

mod common;

use common::nvrtc;
use std::process::Command;

/// A profiler as NVTX 3 defines it: it is given tables of function pointers and fills in two.
const PROFILER: &str = r#"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
typedef void (*function)(void);
struct callbacks { size_t size; int (*get)(int module, function*** table, unsigned* size); };
static FILE* out;
static int depth;
static int push(const char* name) { fprintf(out, "%d %s\n", depth, name); return depth++; }
static int pop(void) { return --depth; }
int InitializeInjectionNvtx2(const void* (*get_export_table)(uint32_t)) {
    const struct callbacks* c = get_export_table(1);
    function** table;
    unsigned size;
    if (!c || !c->get(1, &table, &size) || size != 16 || table[16]) return 0;
    *table[9] = (function)push;
    *table[11] = (function)pop;
    out = fopen(getenv("PROFILE"), "w");
    return out != NULL;
}
__attribute__((destructor)) static void end(void) { if (out) fprintf(out, "%d end\n", depth); }
"#;

#[test]
fn a_profiler_sees_a_range_for_every_operation() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("profiler.c"), PROFILER).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([path("profiler.so"), path("profiler.c")])
        .status()
        .unwrap();
    assert!(built.success(), "cc");
    common::synthetic_dataset(&path("data"), 24, 12);
    for graph in ["0", "1"] {
        let output = Command::new(env!("CARGO_BIN_EXE_warp19"))
            .args([
                "train",
                "--model",
                "deep-mnist",
                "--device",
                "softgpu",
                "--batch",
                "4",
            ])
            .args(["--steps", "2", "--data"])
            .args([path("data"), "--out".into(), path(&format!("run{graph}"))])
            .env("WARP19_NVRTC", nvrtc("13"))
            .env("WARP19_GRAPH", graph)
            .env("NVTX_INJECTION64_PATH", path("profiler.so"))
            .env("PROFILE", path("ranges"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = std::fs::read_to_string(path("ranges")).unwrap();
        let count = |what: &str| text.lines().filter(|l| l.contains(what)).count();
        let steps: Vec<&str> = text.lines().filter(|l| l.ends_with(" step")).collect();
        assert_eq!(steps, ["0 step"; 2], "{text}");
        // Two convolutions; a graph's body runs twice, to prepare and to record it, and then no more.
        assert_eq!(
            count("1 conv_backward_weight ConvShape { n: 4, h: 28"),
            2,
            "{text}"
        );
        for inside in [
            "gather",
            "conv_forward",
            "pool_forward",
            "linear_forward",
            "dropout",
            "loss",
            "adam",
        ] {
            assert!(count(&format!("1 {inside}")) >= 2, "{inside}: {text}");
        }
        assert_eq!(
            text.lines().last(),
            Some("0 end"),
            "every range is closed: {text}"
        );
    }
}
