//! A step's profile as text.

use super::measure::{self, Cost, Peaks, Profile, Row};
use crate::cli::output;

/// The table of all operations, then the phases, then whether the rows add up.
pub fn text(profile: &Profile, peaks: Option<&Peaks>) -> String {
    let whole = profile.sum.amount();
    let cells = |[phase, layer, operation]: [&str; 3], (flops, bytes): (u64, u64), cost: &Cost| {
        let mut cells = [phase, layer, operation].map(String::from).to_vec();
        cells.extend(numbers(cost, whole, flops, bytes));
        cells
    };
    let one = |r: &Row| cells([r.phase, &r.layer, r.operation], (r.flops, r.bytes), &r.cost);
    let mut rows: Vec<Vec<String>> = profile.rows.iter().map(one).collect();
    let phases = profile.rows.chunk_by(|a, b| a.phase == b.phase);
    for of in phases.chain([&profile.rows[..]]) {
        let work = of.iter().fold((0, 0), |sum, r| (sum.0 + r.flops, sum.1 + r.bytes));
        let name = if of.len() == profile.rows.len() { "all" } else { of[0].phase };
        rows.push(cells([name, "", "sum"], work, &measure::total(of.iter(), peaks)));
    }
    let heads = match profile.sum {
        Cost::Time { .. } => [">ms", ">of step", ">GFLOP/s", ">of peak", ">GB/s", ">of peak"],
        Cost::Count(_) => [">instructions", ">of step", ">mul-adds", ">MB moved", ">MB needed", ">shared passes"],
    };
    let table = output::table(&[&["<phase", "<layer", "<operation"], &heads[..]].concat(), &rows);
    table + "\n" + &end(profile, peaks)
}

fn numbers(cost: &Cost, whole: f64, flops: u64, bytes: u64) -> Vec<String> {
    let percent = |share: Option<f64>| share.map_or(String::new(), |s| format!("{:.0} %", 100.0 * s));
    let of_step = format!("{:.1} %", 100.0 * cost.amount() / whole);
    let without = |value: f64, text: String| if value > 0.0 { text } else { String::new() };
    match cost {
        Cost::Time { seconds, share_of_flops, share_of_bandwidth } => {
            let rate = |work: u64| work as f64 / seconds.max(1e-9) / 1e9;
            let arithmetic = without(flops as f64, format!("{:.1}", rate(flops)));
            let memory = format!("{:.1}", rate(bytes));
            let time = format!("{:.3}", 1e3 * seconds);
            vec![time, of_step, arithmetic, percent(*share_of_flops), memory, percent(*share_of_bandwidth)]
        }
        Cost::Count(c) => {
            // Of a thread, a multiply-add being two of the operations.
            let instructions = 32.0 * c.warp_instructions as f64;
            let multiply_adds = without(flops as f64, format!("{:.2}", flops as f64 / 2.0 / instructions.max(1.0)));
            let [moved, needed] = [c.global_bytes, bytes].map(|b| format!("{:.2}", b as f64 / 1e6));
            let (all, passes) = (c.warp_instructions.to_string(), c.shared_passes.to_string());
            vec![all, of_step, multiply_adds, moved, needed, passes]
        }
    }
}

/// Sum and step side by side, and what the columns mean.
fn end(profile: &Profile, peaks: Option<&Peaks>) -> String {
    let (sum, step) = (profile.sum.amount(), profile.step.amount());
    let share = 100.0 * sum / step;
    match (&profile.step, peaks) {
        (Cost::Count(_), _) | (_, None) => format!(
            "The operations' instructions of warps add up to {sum:.0}; the step run as a whole has {step:.0} \
             ({share:.2} %).\nmul-adds: of the definition, padding included, for an instruction of a thread. \
             MB needed: what must be moved at\nleast. Counted on softgpu: how long a card takes is not known from \
             this (docs/results/cuda.md).\n"
        ),
        (Cost::Time { .. }, Some(p)) => format!(
            "The operations' times add up to {:.3} ms; the step run as a whole takes {:.3} ms ({share:.1} %). \
             Peaks: {:.1} GFLOP/s,\n{:.1} GB/s ({}). Operations are counted by\nthe definition, padding included, so \
             that Winograd's algorithm can pass the peak; bytes are those that must be moved at least.\n",
            1e3 * sum,
            1e3 * step,
            p.flops / 1e9,
            p.bandwidth / 1e9,
            p.source
        ),
    }
}
