//! The instruction sets this backend has inner loops for, and which of them it uses.

use super::amx::tiles::Tiles;
#[cfg(target_arch = "aarch64")]
use super::vector::neon;
#[cfg(target_arch = "x86_64")]
use super::vector::x86;
use super::vector::{Job, Vector, plain};
use crate::error::{Error, Result};
use std::fmt;

/// The variable that chooses one.
pub const VARIABLE: &str = "WARP19_ISA";

/// The instructions that this processor has: a value of this type is made by asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// AVX-512, and AMX for products in 16 bits.
    #[cfg(target_arch = "x86_64")]
    Amx(Tiles),
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Plain,
}

impl Isa {
    /// All that this processor has, the widest first.
    pub fn all() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            all.extend(Tiles::find().filter(|_| avx2).map(|tiles| Isa(Kind::Amx(tiles))));
            // What every processor with AVX-512 has but the first accelerators.
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx512 && avx2 {
                all.push(Isa(Kind::Avx512));
            }
            if avx2 {
                all.push(Isa(Kind::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Isa(Kind::Neon));
        all.push(Isa(Kind::Plain));
        all
    }

    /// The one that `WARP19_ISA` names, or the widest of this processor.
    ///
    /// # Errors
    /// The variable names one that this processor does not have, or none at all; the message has those there are.
    pub fn chosen() -> Result<Isa> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Isa::all()[0]),
            Some(name) => Isa::named(&name.to_string_lossy()),
        }
    }

    /// The one with this name.
    ///
    /// # Errors
    /// As [`Isa::chosen`].
    pub fn named(name: &str) -> Result<Isa> {
        let all = Isa::all();
        all.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|isa| isa.name()).collect();
            Error::Invalid(format!(
                "{VARIABLE}={name}: this processor has {}; set one of them, or leave the variable away",
                names.join(", ")
            ))
        })
    }

    /// As the variable names it.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(_) => "amx",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            Kind::Plain => "plain",
        }
    }

    /// The right to products in 16 bits on AMX.
    pub fn tiles(self) -> Option<Tiles> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(tiles) => Some(tiles),
            _ => None,
        }
    }

    /// Columns of a register tile of products with these instructions.
    pub fn panel(self) -> usize {
        struct Panel;
        impl Job for Panel {
            type Output = usize;
            fn run<V: Vector>(self, _zero: V) -> usize {
                V::PANEL
            }
        }
        self.run(Panel)
    }

    /// Numbers of a vector of these instructions.
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl Job for Lanes {
            type Output = usize;
            fn run<V: Vector>(self, _zero: V) -> usize {
                V::LANES
            }
        }
        self.run(Lanes)
    }

    /// Waits for what this thread wrote past the caches, so that others may read it.
    pub fn settle(self) {
        struct Settle;
        impl Job for Settle {
            type Output = ();
            fn run<V: Vector>(self, zero: V) {
                zero.settle();
            }
        }
        self.run(Settle);
    }

    /// Runs a job compiled for these instructions.
    #[inline(always)]
    pub fn run<J: Job>(self, job: J) -> J::Output {
        match self.0 {
            // SAFETY: `Isa::all` found AVX-512 in this processor, and there is no AMX without it.
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(_) | Kind::Avx512 => unsafe { x86::avx512(job) },
            // SAFETY: `Isa::all` found AVX2 and its fused multiply-adds in this processor.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::avx2(job) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => neon::neon(job),
            Kind::Plain => plain::plain(job),
        }
    }
}

/// As runs and people are told: `amx` is for products in 16 bits, and AVX-512 does the rest.
impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.tiles() {
            Some(_) => f.write_str("amx in 16 bits, else avx512"),
            None => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for isa in Isa::all() {
            assert_eq!(Isa::named(isa.name()).unwrap(), isa);
        }
        let error = Isa::named("avx1024").unwrap_err().to_string();
        assert!(error.contains("WARP19_ISA=avx1024") && error.contains("plain"), "{error}");
        assert!(Isa::named("").is_err());
    }
}
