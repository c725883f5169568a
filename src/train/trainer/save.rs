//! The newest state on disk, as long as it is one of finite numbers.

use super::Trainer;
use crate::device::{Device, View, download_f32};
use crate::error::{Error, Result};
use crate::ops::scaling::STATE;
use crate::train::checkpoint::{self, LAST, Meta};
use crate::train::evaluation::read_stats;
use crate::train::metrics::{self, STEPS};

impl Trainer {
    /// Writes the newest state to the run folder.
    ///
    /// # Errors
    /// Those of the file system, and weights or losses that are no longer finite: the checkpoint before stays then.
    pub fn save(&self, device: &mut dyn Device) -> Result<()> {
        let stats = read_stats(device, self.stats)?;
        self.refuse_non_finite(stats[3])?;
        metrics::write(&self.dir.join(STEPS), &self.points)?;
        let a = &self.arenas;
        let named =
            [("weights", Some(a.weights)), ("moment1", Some(a.moment1)), ("moment2", a.moment2), ("ema", a.ema)];
        let views: Vec<(&str, View)> = named.into_iter().filter_map(|(name, view)| Some((name, view?))).collect();
        let names: Vec<&str> = views.iter().map(|(name, _)| *name).collect();
        let mut meta = Meta::new(self.step, self.config.clone(), self.best, stats);
        if let Some(view) = a.scaling {
            let mut state = [0.0; STATE];
            device.download(view, bytemuck::cast_slice_mut(&mut state))?;
            meta.scaling = Some(state);
        }
        checkpoint::write(&self.dir.join(LAST), &meta, &names, &mut |name, at, len| {
            let (_, view) = views.iter().find(|(n, _)| *n == name).expect("named above");
            let values = download_f32(device, view.slice(at, len))?;
            let bad = values.iter().filter(|v| !v.is_finite()).count();
            self.refuse_non_finite(bad as f64)?;
            Ok(values)
        })
    }

    /// An error if a number of bad losses or weights is not zero.
    pub(super) fn refuse_non_finite(&self, bad: f64) -> Result<()> {
        if bad == 0.0 {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "the loss or the weights are no longer finite numbers near step {}: training diverged. The last \
             checkpoint in {} is from before and intact. Try a smaller --lr (it is {}), or --recipe robust",
            self.step,
            self.dir.display(),
            self.config.recipe.lr
        )))
    }
}
