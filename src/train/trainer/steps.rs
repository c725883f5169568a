//! The loop over steps, and one step.

use super::{Event, Outcome, Trainer};
use crate::device::{Device, StepState};
use crate::error::{Error, Result};
use crate::train::evaluation::read_stats;
use crate::train::metrics::Point;
use crate::train::samples::steps_after;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the progress is read from the device.
const PROGRESS: Duration = Duration::from_millis(500);

impl Trainer {
    /// Trains until the end, the step limit, or until `stop` is set; writes metrics and checkpoints on the way.
    ///
    /// # Errors
    /// A loss that is no longer finite, and those of the device and the file system. The last good checkpoint stays.
    pub fn run(
        &mut self,
        device: &mut dyn Device,
        limit: Option<u64>,
        save_every: Duration,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Outcome> {
        let total = self.config.total_steps();
        let end = limit.map_or(total, |l| l.min(total));
        let before = self.epochs.last().map_or(0.0, |e| e.seconds);
        let start = Instant::now();
        let mut saved = Instant::now();
        let (images, batch) = (self.config.images, self.config.recipe.batch);
        let every = Point::every(total);
        while self.step < end {
            let epoch = self.step * batch as u64 / images as u64;
            let first = steps_after(epoch, images, batch);
            let last = steps_after(epoch + 1, images, batch);
            let (began, from) = (Instant::now(), self.step);
            let mut shown: Option<Instant> = None;
            while self.step < last.min(end) {
                self.train_step(device)?;
                let is_point = self.step.is_multiple_of(every) || self.step == last;
                let is_shown = shown.is_none_or(|t| t.elapsed() >= PROGRESS) || self.step == last.min(end);
                let [sum, correct, count, bad] =
                    if is_point || is_shown { read_stats(device, self.stats)? } else { [0.0; 4] };
                self.refuse_non_finite(bad)?;
                if is_point {
                    let lr = self.config.recipe.lr_at(self.step - 1, images);
                    self.points.push(Point { epoch: epoch + 1, step: self.step, sum, images: count, lr });
                }
                if is_shown {
                    shown = Some(Instant::now());
                    let done = (self.step - from) * batch as u64;
                    tell(Event::Progress {
                        epoch: epoch + 1,
                        done: self.step - first,
                        steps: last - first,
                        loss: sum / count,
                        accuracy: correct / count,
                        images_per_second: done as f64 / began.elapsed().as_secs_f64(),
                    });
                    if 2 * (self.step - first) > last - first {
                        self.warn_if_guessing(sum / count, tell);
                    }
                }
                // At the epoch's last step its evaluation comes first: a checkpoint stands for whole epochs up to its
                // step, so that a resumed run never owes one.
                if self.step == last {
                    break;
                }
                if stop.load(Ordering::SeqCst) {
                    self.save(device)?;
                    return Ok(Outcome::Interrupted);
                }
                if saved.elapsed() >= save_every {
                    self.save(device)?;
                    saved = Instant::now();
                }
            }
            if self.step < last {
                break;
            }
            device.synchronize()?;
            let speed = ((last - from) * batch as u64) as f64 / began.elapsed().as_secs_f64();
            let clock = || before + start.elapsed().as_secs_f64();
            let improved = self.finish_epoch(device, epoch + 1, speed, &clock, tell)?;
            self.save(device)?;
            saved = Instant::now();
            let line = self.epochs.last().expect("just added");
            tell(Event::Epoch(line, improved));
            if stop.load(Ordering::SeqCst) && self.step < end {
                return Ok(Outcome::Interrupted);
            }
        }
        if self.step < total {
            self.save(device)?;
            return Ok(Outcome::StepLimit);
        }
        Ok(Outcome::Finished)
    }

    /// One optimiser step on the next batch.
    fn train_step(&mut self, device: &mut dyn Device) -> Result<()> {
        let recipe = &self.config.recipe;
        let (step, last) = (self.step, self.config.total_steps() - 1);
        let samples = self.samples.batch(step, recipe.batch);
        let next = || (step < last).then(|| self.samples.batch(step + 1, recipe.batch));
        let samples = match self.train.place(device, &mut self.ahead, samples, next) {
            Ok(samples) => samples,
            Err(e) => {
                self.save(device)?;
                return Err(Error::Invalid(format!(
                    "{e}; the run is saved as it was after step {step}: with the picture as it was, go on with: \
                     warp19 train --resume {}",
                    self.dir.display()
                )));
            }
        };
        device.set_step(StepState {
            step,
            lr: recipe.lr_at(step, self.config.images),
            ema_decay: recipe.ema_at(step),
            samples: &samples,
        })?;
        device.record("step", &self.plan)?;
        self.step += 1;
        Ok(())
    }
}
