//! Names of the special registers.

/// The name of a special register, its part joined with a dot, or `None` when there is no such one.
pub fn joined(name: &str, part: &str) -> Option<&'static str> {
    NAMES.split(' ').find(|full| full.split_once('.').unwrap_or((full, "")) == (name, part))
}

const NAMES: &str = "tid.x tid.y tid.z ntid.x ntid.y ntid.z ctaid.x ctaid.y ctaid.z nctaid.x nctaid.y nctaid.z laneid \
    warpid nwarpid smid nsmid gridid lanemask_eq lanemask_le lanemask_lt lanemask_ge lanemask_gt clock \
    clock_hi clock64 globaltimer globaltimer_lo globaltimer_hi total_smem_size aggr_smem_size \
    dynamic_smem_size envreg1 envreg2";
