use super::super::{LaunchConfig, module::Entry, program::Program};
use super::Watcher;
use crate::{Counters, Profile};
pub fn counters(_: &[Watcher], _: &Program, e: &Entry, _: &LaunchConfig, _: &Profile) -> Counters {
    Counters {
        kernel: e.info.name.clone(),
        launches: 1,
    }
}
