//! What vectors the host has, which what is compiled for several kinds of host asks.

/// What this host has: 0 plain, 2 AVX2, 3 AVX-512; `SOFTGPU_ISA=plain|avx2` asks for less.
pub fn level() -> u8 {
    static LEVEL: std::sync::OnceLock<u8> = std::sync::OnceLock::new();
    *LEVEL.get_or_init(|| {
        let most = match std::env::var("SOFTGPU_ISA").as_deref() {
            Ok("plain") => 0,
            Ok("avx2") => 2,
            _ => 3,
        };
        detected().min(most)
    })
}

#[cfg(target_arch = "x86_64")]
fn detected() -> u8 {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("f16c");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => 3,
        (true, false) => 2,
        _ => 0,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> u8 {
    0
}
