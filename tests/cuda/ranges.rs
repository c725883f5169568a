//! What a profiler sees: NVTX ranges, received by a small library that stands in for one.

use crate::common::command::{ok, train, workplace};
use crate::common::nvrtc;
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

/// Each range with those around it, as `step/forward/conv1`.
fn paths(text: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(depth, name)| {
            open.truncate(depth.parse().unwrap());
            open.push(name);
            open.join("/")
        })
        .collect()
}

#[test]
fn a_profiler_sees_phases_layers_and_operations() {
    let dir = workplace(24, 12);
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("profiler.c"), PROFILER).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([path("profiler.so"), path("profiler.c")])
        .status()
        .unwrap();
    assert!(built.success(), "cc");
    for graph in ["0", "1"] {
        let line = format!("--device softgpu --batch 4 --steps 2 --out run{graph}");
        ok(train(dir.path(), &line)
            .env("WARP19_NVRTC", nvrtc("13"))
            .env("WARP19_GRAPH", graph)
            .env("NVTX_INJECTION64_PATH", path("profiler.so"))
            .env("PROFILE", path("ranges")));
        let text = std::fs::read_to_string(path("ranges")).unwrap();
        let paths = paths(&text);
        let count = |path: &str| paths.iter().filter(|p| p.starts_with(path)).count();
        // A graph's body runs twice, to prepare and to record it, and then no more; the steps' own ranges are seen.
        assert_eq!(paths.iter().filter(|p| *p == "step").count(), 2, "{text}");
        for (path, operation) in [
            ("step/batch", "gather"),
            ("step/forward/conv1", "conv_forward ConvShape { n: 4, h: 28"),
            ("step/forward/pool2", "pool_forward"),
            ("step/forward/fc1", "linear_forward"),
            ("step/forward/dropout1", "dropout"),
            ("step/loss", "loss"),
            ("step/backward/dropout1", "dropout"),
            ("step/backward/fc2", "linear_backward_weight"),
            ("step/backward/fc1", "linear_backward_data"),
            ("step/backward/pool1", "pool_backward"),
            ("step/backward/conv2", "conv_backward_data"),
            ("step/backward/conv1", "conv_backward_weight ConvShape { n: 4, h: 28"),
            ("step/optimizer", "adam"),
        ] {
            assert_eq!(count(&format!("{path}/{operation}")), 2, "{path}: {text}");
        }
        // One batch holds all test images.
        assert!(count("eval test/forward/conv2/conv_forward") >= 1, "{text}");
        // Every kernel is launched in a layer or a phase.
        let loose = paths.iter().filter(|p| p.starts_with("step/") && p.matches('/').count() == 1);
        let phases = ["batch", "forward", "loss", "backward", "optimizer"];
        assert!(loose.into_iter().all(|p| phases.contains(&&p[5..])), "{text}");
        assert_eq!(text.lines().last(), Some("0 end"), "every range is closed: {text}");
    }
}
