//! Making a batch: `kernels/batch.cu`.

use super::launching::Addresses;
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, AugmentArg, Grid, NormaliseArg};
use crate::cuda::plan::SHARED_LIMIT;
use crate::cuda::units::UnitKind;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::ops::batch::Gather;

pub fn gather(d: &mut CudaDevice, precision: Precision, g: &Gather, at: Addresses) -> Result<()> {
    let mut rows = g.h;
    let mut shared = 0;
    let a = match &g.augment {
        None => AugmentArg { half_turns: 0.0, scale: 0.0, shear: 0.0, shift: 0.0, elastic: 0.0, spacing: 1 },
        Some(a) => {
            if a.spacing == 0 {
                return Err(Error::Invalid("gather: control points 0 pixels apart".into()));
            }
            let columns = a.control_points(g.w);
            let table = |rows: usize| 8 * ((rows - 1) / a.spacing + 5) * columns;
            while rows > 1 && table(rows) > SHARED_LIMIT {
                rows = rows.div_ceil(2);
            }
            shared = if a.elastic > 0.0 { table(rows) } else { 0 };
            if shared > SHARED_LIMIT {
                return Err(Error::Invalid(format!(
                    "gather: images of {} columns with elastic control points {} pixels apart need more shared \
                     memory than a block has; use a larger spacing",
                    g.w, a.spacing
                )));
            }
            AugmentArg {
                half_turns: a.degrees / 180.0,
                scale: a.scale,
                shear: a.shear,
                shift: a.shift,
                elastic: a.elastic,
                spacing: a.spacing as i32,
            }
        }
    };
    let grid = Grid { blocks: g.n * g.h.div_ceil(rows), parts: 1, shared };
    let mut args = at[..4].iter().copied().map(Arg::Address).collect::<Vec<_>>();
    args.extend([
        Arg::Address(d.step_address()?),
        Arg::U64(g.seed),
        g.h.into(),
        g.w.into(),
        g.c.into(),
        Arg::Normalise(NormaliseArg {
            mean: [0, 1, 2].map(|c| g.mean.of(c)),
            inverse_std: [0, 1, 2].map(|c| 1.0 / g.std.of(c)),
        }),
        rows.into(),
        g.augment.is_some().into(),
        Arg::Augment(a),
    ]);
    d.launch(UnitKind::Batch.at(precision), "gather", grid, &args)
}
