//! The end of an epoch: evaluation, the line of metrics, the best weights, and the warning of a network that guesses.

use super::{Event, Trainer};
use crate::device::{Device, View, download_f32, run_plan};
use crate::error::Result;
use crate::train::checkpoint::{self, BEST, Best, Meta};
use crate::train::evaluation::{Evaluation, read_stats, run_evaluation};
use crate::train::feed::Feed;
use crate::train::metrics::{self, EPOCHS, Epoch};
use crate::train::predictions;

impl Trainer {
    /// Warns, once an epoch, when the epoch's mean loss so far is that of guessing, ln(classes). The first steps of a
    /// run, where it is everyone's, are let pass.
    pub(super) fn warn_if_guessing(&mut self, loss: f64, tell: &mut dyn FnMut(Event)) {
        let chance = (self.config.classes as f64).ln();
        let epoch = self.epochs.last().map_or(0, |e| e.epoch) + 1;
        if (loss - chance).abs() < 0.01 * chance && self.step >= 100 && self.warned != epoch {
            self.warned = epoch;
            tell(Event::Warning(format!(
                "epoch {epoch}: the mean loss {loss:.4} is that of guessing (ln {} = {chance:.4}): the network does \
                 not learn. Plain VGG does so with a small fixed-deviation initialisation; --recipe robust trains it, \
                 and a smaller --lr may help",
                self.config.classes
            )));
        }
    }

    /// Evaluates, adds the line of metrics, keeps the best weights; whether this epoch is the best.
    pub(super) fn finish_epoch(
        &mut self,
        device: &mut dyn Device,
        epoch: u64,
        images_per_second: f64,
        clock: &dyn Fn() -> f64,
        tell: &mut dyn FnMut(Event),
    ) -> Result<bool> {
        let [sum, correct, count, bad] = read_stats(device, self.stats)?;
        self.refuse_non_finite(bad)?;
        device.zero(self.stats)?;
        let raw = self.network.weights;
        let judged = self.arenas.ema.unwrap_or(raw);
        let test = self.evaluate(device, judged, &self.test, "eval test", tell)?;
        let plain_too = self.plain_too || epoch == self.config.recipe.epochs;
        let plain = match self.arenas.ema.filter(|_| plain_too) {
            Some(_) => Some(self.evaluate(device, raw, &self.test, "eval test raw", tell)?),
            None => None,
        };
        let val = match &self.validation {
            Some(v) => Some(self.evaluate(device, judged, v, "eval validation", tell)?),
            None => None,
        };
        let line = Epoch {
            epoch,
            step: self.step,
            train_loss: sum / count,
            train_accuracy: correct / count,
            test_loss: test.loss,
            test_accuracy: test.accuracy(),
            test_loss_raw: plain.as_ref().map(|e| e.loss),
            test_accuracy_raw: plain.as_ref().map(Evaluation::accuracy),
            val_loss: val.as_ref().map(|e| e.loss),
            val_accuracy: val.as_ref().map(Evaluation::accuracy),
            lr: self.config.recipe.lr_at(self.step - 1, self.config.images),
            seconds: clock(),
            images_per_second,
        };
        self.warn_if_guessing(line.train_loss, tell);
        let this = Best::of(&line);
        let improved = this.is_sane(self.config.classes) && self.best.is_none_or(|best| this.beats(&best));
        if improved {
            self.best = Some(this);
            let meta = Meta::new(self.step, self.config.clone(), self.best, [0.0; 4]);
            checkpoint::write(&self.dir.join(BEST), &meta, &["weights"], &mut |_, at, len| {
                download_f32(device, judged.slice(at, len))
            })?;
            predictions::write(&self.dir, BEST, &self.asked, &test)?;
        }
        self.epochs.push(line);
        self.divergence().into_iter().for_each(|text| tell(Event::Warning(format!("epoch {epoch}: {text}"))));
        metrics::write(&self.dir.join(EPOCHS), &self.epochs)?;
        Ok(improved)
    }

    /// What is wrong, where the last epoch was one of a training that diverged.
    pub fn divergence(&self) -> Option<String> {
        let (lr, classes) = (self.config.recipe.lr, self.config.classes);
        let last = self.epochs.last().map(Best::of).filter(|last| !last.is_sane(classes))?;
        Some(format!(
            "the training diverges: its mean loss is {:.3e}, where guessing has {:.2}. Its weights are not kept as the \
             best. Start again with a smaller --lr (it is {lr})",
            last.loss,
            (classes as f64).ln()
        ))
    }

    fn evaluate(
        &self,
        device: &mut dyn Device,
        weights: View,
        data: &Feed,
        name: &str,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Evaluation> {
        let (net, to) = (&self.evaluator, (&self.buffers, name));
        let tell = &mut |done, images| tell(Event::Evaluating { done, images });
        let result = run_evaluation(device, &self.config, net, weights, data, to, tell)?;
        // The next step reads the copy of the weights as they are.
        run_plan(device, &net.prepare(net.weights)?)?;
        Ok(result)
    }

    /// Evaluates the weights as they are on the images it tests on.
    pub fn test(&self, device: &mut dyn Device, tell: &mut dyn FnMut(Event)) -> Result<Evaluation> {
        let judged = self.arenas.ema.unwrap_or(self.network.weights);
        self.evaluate(device, judged, &self.test, "eval test", tell)
    }
}
