//! The options of the command line.

use super::argument::{self, Argument};
use crate::check::Rank;
use crate::kernel::Options;
use crate::profile::Profile;
use std::path::PathBuf;

/// Runs a CUDA kernel on a device in software, with checks.
#[derive(clap::Parser, Debug)]
#[command(name = "softgpu-run", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// CUDA C++ (.cu, compiled by NVRTC) or PTX (.ptx)
    #[arg(value_name = "FILE.cu|FILE.ptx", value_parser = source_file)]
    pub file: PathBuf,
    /// Kernel to run; a C++ name is found in its mangled form if only one kernel has it
    #[arg(long, value_name = "NAME")]
    pub kernel: String,
    /// Blocks in the grid
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = dimensions)]
    pub grid: [u32; 3],
    /// Threads in a block
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = dimensions)]
    pub block: [u32; 3],
    /// Dynamic shared memory of a block
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub smem: u32,
    /// Modelled device: sm_61, sm_70, sm_75, sm_80, sm_86, sm_89 or sm_90
    #[arg(long, default_value = "sm_86", value_name = "NAME")]
    pub profile: Profile,
    /// Checks to run: all, none, or some of mem,init,race,sync
    #[arg(long, default_value = "all", value_name = "LIST", value_parser = checks)]
    pub check: Options,
    /// Seed of the order of blocks and warps; 0 is the natural order
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Least rank of a finding that makes the exit code 3: error, warning or note
    #[arg(long, value_name = "RANK", default_value = "error")]
    pub fail_on: Rank,
    /// Kinds of findings that are not reported, such as leak,warp_order
    #[arg(long, value_name = "KINDS", default_value = "")]
    pub mute: String,
    /// Write the findings to this file, as JSON
    #[arg(long, value_name = "F.json")]
    pub findings: Option<PathBuf>,
    /// Write the counters to this file, as JSON
    #[arg(long, value_name = "F.json")]
    pub counters: Option<PathBuf>,
    /// Option for NVRTC, such as -DN=4; may be given more than once
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub nvrtc_option: Vec<String>,
    /// One for each kernel parameter, in order
    #[arg(last = true, value_name = "ARG", value_parser = argument::parse)]
    pub arguments: Vec<Argument>,
}

const AFTER_HELP: &str = "\
Arguments:
  i32:N u32:N i64:N u64:N f32:X f64:X   a scalar
  in:F.npy                              a buffer read from a NumPy file
  inout:IN.npy:OUT.npy                  a buffer read, and written back afterwards
  out:F.npy:DTYPE:SHAPE                 an uninitialised buffer written afterwards,
                                        such as out:c.npy:float32:64x64
  raw:FILE                              the bytes of a file, as a struct by value

Exit code: 0 no findings of the rank that --fail-on tells, 1 refused or failed, 2 wrong usage, 3 such findings.

Example:
  softgpu-run saxpy.cu --kernel saxpy --grid 4 --block 256 -- f32:2 in:x.npy inout:y.npy:z.npy i32:1000";

fn source_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|e| e.to_str()) {
        Some("cu" | "ptx") => Ok(path),
        _ => Err("the file must end in .cu or .ptx".into()),
    }
}

fn dimensions(text: &str) -> Result<[u32; 3], String> {
    let mut size = [1; 3];
    let words: Vec<&str> = text.split(',').collect();
    if words.len() > 3 {
        return Err("at most three numbers, X,Y,Z".into());
    }
    for (place, word) in size.iter_mut().zip(words) {
        *place = word
            .trim()
            .parse()
            .ok()
            .filter(|&n: &u32| n > 0)
            .ok_or_else(|| format!("`{word}` is not a whole number above zero"))?;
    }
    Ok(size)
}

fn checks(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    options.set_checks(text)?;
    Ok(options)
}
