//! What ptxas says, read.

use softgpu::ptxas::{Usage, usage};

#[test]
fn reads_ptxas() {
    let log = "ptxas info    : 140 bytes gmem, 280 bytes cmem[4]\n\
               ptxas info    : Compiling entry function 'gemm_tn' for 'sm_86'\n\
               ptxas info    : Function properties for gemm_tn\n\
               ptxas         .     8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads\n\
               ptxas info    : Used 107 registers, used 1 barriers, 18433 bytes smem, 416 bytes cmem[0]\n";
    let want =
        Usage { kernel: "gemm_tn".into(), registers: 107, shared: 18433, stack: 8, spill_stores: 16, spill_loads: 24 };
    assert_eq!(usage(log), [want]);
}

#[test]
fn reads_several_kernels() {
    let log = "ptxas info    : 0 bytes gmem\n\
               ptxas info    : Compiling entry function 'one' for 'sm_86'\n\
               ptxas info    : Function properties for one\n\
               ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n\
               ptxas info    : Used 107 registers, used 1 barriers, 18433 bytes smem, 416 bytes cmem[0]\n\
               ptxas info    : Compiling entry function 'two' for 'sm_86'\n\
               ptxas info    : Used 8 registers, 356 bytes cmem[0]\n";
    let want = [("one".to_string(), 107), ("two".to_string(), 8)];
    let found = usage(log).into_iter().map(|u| (u.kernel, u.registers));
    assert_eq!(found.collect::<Vec<_>>(), want);
}
