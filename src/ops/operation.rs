//! An operation on views of a device's memory: what devices run, and what plans, checks and timings are made of.

use super::batch::Gather;
use super::cast::Cast;
use super::description::{Description, Operand, StepState, check};
use super::dropout::{self, Dropout};
use super::layer::LayerPass;
use super::loss::{self, Loss, Softmax};
use super::optimizer::{Adam, Sgd};
use super::pool::Pool;
use super::scaling::Scaling;
use super::view::{Precision, View};
use crate::error::Result;
use std::fmt;

/// The operations there are, with their sizes and constants; each is described in its own file.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Gather(Gather),
    Layer(LayerPass),
    Pool(Pool),
    Dropout(Dropout),
    Loss(Loss),
    Softmax(Softmax),
    Cast(Cast),
    Scaling(Scaling),
    Adam(Adam),
    Sgd(Sgd),
}

impl Kind {
    /// What it is: name, operands, work.
    pub fn describe(&self, precision: Precision) -> Description {
        match self {
            Kind::Gather(o) => o.describe(precision),
            Kind::Layer(o) => o.describe(precision),
            Kind::Pool(o) => o.describe(precision),
            Kind::Dropout(o) => o.describe(precision),
            Kind::Loss(o) => o.describe(precision),
            Kind::Softmax(o) => o.describe(),
            Kind::Cast(o) => o.describe(precision),
            Kind::Scaling(o) => o.describe(),
            Kind::Adam(o) => o.describe(precision),
            Kind::Sgd(o) => o.describe(precision),
        }
    }

    /// The slow reference in f64: `values` holds what each operand holds before, and then what it must hold after,
    /// before it is rounded to the operand's type.
    pub fn reference(&self, precision: Precision, state: &StepState, values: &mut [Vec<f64>]) {
        match self {
            Kind::Gather(o) => o.reference(state, values),
            Kind::Layer(o) => o.reference(values),
            Kind::Pool(o) => o.reference(values),
            Kind::Dropout(o) => dropout::apply(o, state.step, &mut values[0]),
            Kind::Loss(o) => o.reference(values),
            Kind::Softmax(o) => values[1] = values[0].chunks_exact(o.classes).flat_map(loss::softmax).collect(),
            Kind::Cast(_) => values[1] = values[0].clone(),
            Kind::Scaling(o) => o.reference(values),
            Kind::Adam(o) => o.reference(precision, state, values),
            Kind::Sgd(o) => o.reference(precision, state, values),
        }
    }
}

/// An operation on views that fit it: as many as it has operands, each of its type and length, and none that is written
/// overlaps another. There is no way to make one that does not hold this.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    kind: Kind,
    precision: Precision,
    description: Description,
    views: Vec<View>,
}

impl Operation {
    /// The operation on these views, in the order of its operands.
    ///
    /// # Errors
    /// Views that do not fit it: the operation, the operand, and what it must have.
    pub fn new(kind: Kind, precision: Precision, views: &[View]) -> Result<Operation> {
        let description = kind.describe(precision);
        check(description.name, &description.operands, views)?;
        Ok(Operation { kind, precision, description, views: views.to_vec() })
    }

    /// What is computed, with sizes and constants.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// How it is computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Name, sizes, operands, work.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What it reads and writes, each operand with its view.
    pub fn operands(&self) -> impl Iterator<Item = (Operand, View)> {
        self.description.operands.iter().copied().zip(self.views.iter().copied())
    }
}

/// Name and sizes, as a profiler shows them.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.description.name, self.description.sizes)
    }
}

/// An operation with its place in a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// `batch`, `forward`, `loss`, `backward` or `optimizer`; empty outside of them.
    pub phase: &'static str,
    /// The layer's name; empty where there is none.
    pub layer: String,
    pub operation: Operation,
}

impl Planned {
    /// An operation in a phase, of a layer or of none.
    pub fn new(phase: &'static str, layer: &str, operation: Operation) -> Planned {
        Planned { phase, layer: layer.into(), operation }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {} {}", self.phase, self.layer, self.operation)
    }
}
