//! `warp19 profile --predict CARD`: a step's time on a card that is not here, by the plan's count.

use super::example;
use super::paper::Paper;
use crate::cli::output;
use crate::cuda::driver::Properties;
use crate::cuda::plan::predict::{self, Prediction};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::ops::operation::Planned;
use crate::train::Trainer;
use serde_json::{Value, json};

/// Images in a step where no batch is given.
const BATCH: usize = 128;
const END: &str = "A prediction by count, and no measurement: nothing was run. docs/results/cuda.md says what is \
                   assumed; `warp19 profile` on the card replaces it.\n";

/// Predicts a step on a card of that name, or on all.
pub fn run(name: &str, model: &str, batch: Option<usize>, precision: Precision, json: bool) -> Result<()> {
    let batch = batch.unwrap_or(BATCH);
    if name == "all" {
        return every_card(model, batch, json);
    }
    let known = || predict::cards().iter().map(|c| predict::short(c).to_string()).collect::<Vec<_>>().join(", ");
    let unknown = || Error::Invalid(format!("--predict {name}: no such card is known; known are {}, and all", known()));
    let card = predict::card(name).ok_or_else(unknown)?;
    card.supports(precision)?;
    let plan = plan(model, precision, batch)?;
    let all: Vec<Prediction> = plan.iter().map(|p| predict::operation(&p.operation, &card, true)).collect();
    let sum: f64 = all.iter().map(|p| p.seconds).sum();
    let dense = dense(&plan, &card, precision);
    if json {
        let row = |(planned, p): (&Planned, &Prediction)| {
            let is = planned.operation.description();
            json!({"phase": planned.phase, "layer": planned.layer, "operation": is.name, "how": p.how,
                   "flops": is.flops, "bytes": is.bytes, "seconds": p.seconds})
        };
        let rows: Vec<Value> = plan.iter().zip(&all).map(row).collect();
        return output::print_json(&json!({
            "predicted": true, "card": card.name, "model": model, "batch": batch,
            "precision": precision.name(), "operations": rows, "seconds": sum, "seconds_at_dense_peak": dense,
        }));
    }
    let row = |(planned, p): (&Planned, &Prediction)| {
        let texts = [planned.phase, &planned.layer, planned.operation.description().name, &p.how].map(String::from);
        let numbers = [format!("{:.3}", 1e3 * p.seconds), format!("{:.1} %", 100.0 * p.seconds / sum)];
        texts.into_iter().chain(numbers).collect()
    };
    let rows: Vec<Vec<String>> = plan.iter().zip(&all).map(row).collect();
    let mut text = format!("{} step, batch {batch}, {}, {}: predicted\n\n", model, precision, card.name);
    text += &output::table(&["<phase", "<layer", "<operation", "<how", ">ms", ">of step"], &rows);
    text += &format!("\nTogether {:.2} ms. ", 1e3 * sum);
    if let Some(dense) = dense {
        text += &format!("At the tensor cores' dense peak, which needs wgmma, it would be {:.2} ms. ", 1e3 * dense);
    }
    output::print(&(text + END))
}

/// Seconds where tensor cores were reached by more than `mma.sync`, if that makes a difference.
fn dense(plan: &[Planned], card: &Properties, precision: Precision) -> Option<f64> {
    let sum = || plan.iter().map(|p| predict::operation(&p.operation, card, false).seconds).sum();
    (card.sm == 90 && precision != Precision::F32).then(sum)
}

/// A table of all cards in all precisions.
fn every_card(model: &str, batch: usize, json: bool) -> Result<()> {
    let plans: Result<Vec<_>> = Precision::ALL.into_iter().map(|p| Ok((p, plan(model, p, batch)?))).collect();
    let plans = plans?;
    let seconds = |card: &Properties, (precision, plan): &(Precision, Vec<Planned>)| {
        let sum = || plan.iter().map(|p| predict::operation(&p.operation, card, true).seconds).sum::<f64>();
        card.supports(*precision).is_ok().then(sum)
    };
    let cards = predict::cards();
    if json {
        let of = |card: &Properties| {
            let all = plans.iter().map(|p| (p.0.name().to_string(), json!(seconds(card, p))));
            json!({"card": card.name, "seconds": all.collect::<serde_json::Map<_, _>>()})
        };
        return output::print_json(&json!({
            "predicted": true, "model": model, "batch": batch, "cards": cards.iter().map(of).collect::<Vec<_>>(),
        }));
    }
    let row = |card: &Properties| {
        let cell = |p| seconds(card, p).map_or("-".into(), |s| format!("{:.2}", 1e3 * s));
        std::iter::once(predict::short(card).to_string()).chain(plans.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<String>> = cards.iter().map(row).collect();
    let heads: Vec<String> = plans.iter().map(|(p, _)| format!(">{p}")).collect();
    let heads: Vec<&str> = std::iter::once("<ms").chain(heads.iter().map(String::as_str)).collect();
    let title = format!("{} step, batch {batch}: predicted milliseconds\n\n", model);
    output::print(&(title + &output::table(&heads, &rows) + "\n" + END))
}

/// The operations of a step.
fn plan(model: &str, precision: Precision, batch: usize) -> Result<Vec<Planned>> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("create", std::env::temp_dir(), e))?;
    let (config, dataset) = example::run(model, precision, batch)?;
    Ok(Trainer::new(&mut Paper::default(), config, &dataset, folder.path(), None)?.plan().to_vec())
}
