//! `warp19 kernels`: what the CUDA kernels need, and writing them out.

use super::output;
use crate::cuda::nvrtc::{self, Target};
use crate::cuda::units::Unit;
use crate::cuda::{report, sass, source};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use softgpu::nvrtc::Nvrtc;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Registers, shared memory, spills, occupancy and instruction mix of every kernel.
    Report(Report),
    /// Write every unit's source, PTX, machine code and exact options.
    Dump(Dump),
}

#[derive(clap::Args)]
pub struct Report {
    /// Architectures such as sm_86,sm_90.
    #[arg(long, value_delimiter = ',', default_value = "sm_86")]
    arch: Vec<String>,
    /// Print JSON: a list with one object for each kernel of each architecture.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct Dump {
    /// One architecture, such as sm_86.
    #[arg(long, default_value = "sm_86")]
    arch: String,
    /// Folder to write to.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Report(args) => report(args),
        Command::Dump(args) => dump(args),
    }
}

/// `sm_86` as 86.
fn architecture(name: &str) -> Result<u32> {
    let number = name.strip_prefix("sm_").unwrap_or(name).parse().ok();
    number
        .filter(|n| (50..1000).contains(n))
        .ok_or_else(|| Error::Invalid(format!("unknown architecture '{name}'; give it as sm_86, sm_90, ...")))
}

fn report(args: &Report) -> Result<()> {
    let tool = sass::nvdisasm()?;
    let mut rows: Vec<Value> = Vec::new();
    for arch in &args.arch {
        let sm = architecture(arch)?;
        let nvrtc = report::nvrtc_for(sm)?;
        let profile = softgpu::Profile::named(&format!("sm_{sm}"));
        for unit in Unit::all(sm) {
            let compiled = report::compile(&nvrtc, sm, unit)?;
            let kernels = unit.kernels();
            let mixes = tool.as_ref().and_then(|t| sass::disassemble(t, &compiled.cubin).ok());
            for usage in &compiled.usage {
                let threads = kernels.iter().find(|k| k.symbol == usage.kernel).map_or(0, |k| k.threads as u32);
                let occupancy = profile.as_ref().map(|p| {
                    let o = p.occupancy(threads, usage.registers, usage.shared);
                    json!({"blocks": o.blocks_per_sm, "warps": o.warps_per_sm, "share": o.share})
                });
                let mix = mixes.iter().flatten().find(|m| m.kernel == usage.kernel);
                rows.push(json!({
                    "arch": format!("sm_{sm}"), "unit": unit.name(), "threads": threads, "usage": usage,
                    "occupancy": occupancy, "instructions": mix.map(|m| m.instructions),
                    "main_loop": mix.map(|m| &m.main_loop),
                    "multiply_add_share": mix.filter(|m| !m.main_loop.is_empty()).map(|m| m.multiply_add_share()),
                }));
            }
        }
    }
    if args.json {
        return output::print_json(&Value::Array(rows));
    }
    let row = |r: &Value| {
        let (u, number) = (&r["usage"], |v: &Value| v.as_u64().map_or("-".to_string(), |n| n.to_string()));
        let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
        let spill = u["spill_stores"].as_u64().unwrap_or(0) + u["spill_loads"].as_u64().unwrap_or(0);
        let mut mix: Vec<(&String, u64)> =
            r["main_loop"].as_object().into_iter().flatten().map(|(n, c)| (n, c.as_u64().unwrap_or(0))).collect();
        mix.sort_by_key(|(_, c)| std::cmp::Reverse(*c));
        let names: Vec<String> = mix.iter().take(4).map(|(n, c)| format!("{c} {n}")).collect();
        let share = r["multiply_add_share"].as_f64().map_or(String::new(), |s| format!("{:.1} %: ", 100.0 * s));
        let names = format!("{share}{}", names.join(", "));
        let (registers, shared, stack) = (number(&u["registers"]), number(&u["shared"]), number(&u["stack"]));
        let (warps, sass) = (number(&r["occupancy"]["warps"]), number(&r["instructions"]));
        let which = [text(&r["arch"]), text(&r["unit"]), text(&u["kernel"]), number(&r["threads"])];
        which.into_iter().chain([registers, shared, spill.to_string(), stack, warps, sass, names]).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    let heads = ["<arch", "<unit", "<kernel", ">threads", ">regs", ">shared", ">spill", ">local", ">warps", ">SASS"];
    let mut text = output::table(&[&heads[..], &["<main loop"]].concat(), &rows);
    if tool.is_none() {
        text += "no nvdisasm was found, so there are no instruction counts: `pip install nvidia-cuda-nvdisasm` brings \
                 one, or name it in WARP19_NVDISASM\n";
    }
    output::print(&text)
}

fn dump(args: &Dump) -> Result<()> {
    let sm = architecture(&args.arch)?;
    let nvrtc = report::nvrtc_for(sm)?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io("create", &args.out, e))?;
    let write = |name: String, bytes: &[u8]| {
        let path = args.out.join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::io("write", &path, e))
    };
    let mut units = Vec::new();
    for unit in Unit::all(sm) {
        let compiled = report::compile(&nvrtc, sm, unit)?;
        let ptx = ptx(&nvrtc, sm, unit)?;
        write(format!("{}.cu", unit.name()), flat(unit.file())?.as_bytes())?;
        write(format!("{}.ptx", unit.name()), &ptx)?;
        write(format!("{}.cubin", unit.name()), &compiled.cubin)?;
        let kernels: Vec<Value> = unit
            .kernels()
            .into_iter()
            .map(|k| {
                let usage = compiled.usage.iter().find(|u| u.kernel == k.symbol);
                let shared = dynamic_shared(k.name);
                json!({"name": k.symbol, "block": [k.threads, 1, 1], "dynamic_shared": shared, "usage": usage})
            })
            .collect();
        units.push(json!({"name": unit.name(), "file": unit.file(), "options": compiled.options, "kernels": kernels}));
    }
    let (major, minor) = nvrtc.version;
    let all = json!({
        "architecture": format!("sm_{sm}"), "nvrtc": format!("{major}.{minor}"), "sources": source::HASH,
        "units": units,
    });
    write("kernels.json".into(), format!("{all:#}\n").as_bytes())?;
    output::print(&format!("{} units for sm_{sm} in {}\n", units.len(), args.out.display()))
}

fn ptx(nvrtc: &Nvrtc, sm: u32, unit: Unit) -> Result<Vec<u8>> {
    let output = nvrtc::compile(nvrtc, unit.file(), Target::Ptx(sm), &unit.options());
    Ok(output.map_err(Error::Device)?.code)
}

/// What a kernel's dynamic shared memory holds, for those that use it.
fn dynamic_shared(kernel: &str) -> Value {
    match kernel {
        "conv_direct_forward" => {
            json!("4 (kernel^2 c k + k + (rows + kernel - 1) (w + kernel - 1) c) bytes, rows = DIRECT_ROWS")
        }
        "gather" => {
            json!("8 bytes for each control point of the block's rows; 0 without the elastic field")
        }
        name if name.starts_with("conv_direct_backward") => {
            json!("4 ((rows + kernel - 1) (w + kernel - 1) c + threads) bytes, rows = DIRECT_ROWS")
        }
        _ => json!(0),
    }
}

/// A kernel file with its headers written into it, each once.
fn flat(file: &str) -> Result<String> {
    fn add(file: &str, out: &mut String, seen: &mut Vec<String>) -> Result<()> {
        if seen.iter().any(|s| s == file) {
            return Ok(());
        }
        seen.push(file.into());
        let text = source::text(file).ok_or_else(|| Error::Device(format!("kernels/{file} is not embedded")))?;
        for line in text.lines() {
            match line.strip_prefix("#include \"").and_then(|l| l.strip_suffix('"')) {
                Some(header) => add(header, out, seen)?,
                None if line == "#pragma once" => {}
                None => {
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        Ok(())
    }
    let (mut out, mut seen) = (String::new(), Vec::new());
    add(file, &mut out, &mut seen)?;
    Ok(out)
}
