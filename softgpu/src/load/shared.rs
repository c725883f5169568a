//! Where the variables in shared memory lie.

use crate::isa::decoder::{SharedLayout, placed};
use crate::kernel::LoadError;
use crate::load::contents::{Uses, refuse};
use crate::ptx::{Function, Module, Space, Variable};

/// The places that all kernels of a module have in common.
///
/// Variables inside device functions, and those of the module that device functions use, are shared by every kernel.
pub fn common(tree: &Module<'_>, bodies: &[&Function<'_>], uses: &[Uses]) -> Result<SharedLayout, LoadError> {
    let mut layout = SharedLayout::default();
    for (n, f) in bodies.iter().enumerate() {
        if !f.is_entry {
            place_inner(&mut layout, n, f);
        }
        if f.vars.iter().any(|v| matches!(v.space, Space::Global | Space::Const)) {
            return Err(refuse(f.line, "global variables inside a function are not supported"));
        }
    }
    for (n, _) in bodies.iter().enumerate().filter(|(_, f)| !f.is_entry) {
        place_used(&mut layout, tree, &uses[n]);
    }
    Ok(layout)
}

/// The places for function `n`, and where dynamic shared memory begins.
pub fn of_function(
    common: &SharedLayout,
    tree: &Module<'_>,
    n: usize,
    f: &Function<'_>,
    uses: &Uses,
) -> (SharedLayout, u32) {
    let mut layout = common.clone();
    if f.is_entry {
        place_inner(&mut layout, n, f);
        place_used(&mut layout, tree, uses);
    }
    // unsized arrays lie behind everything else, all at one place
    let dynamic = layout.bytes.next_multiple_of(layout.dynamic_align.max(16));
    for (n, v) in tree.variables.iter().enumerate() {
        if v.space == Space::Shared && v.count.is_none() {
            layout.offsets.insert(n, dynamic);
        }
    }
    (layout, dynamic)
}

/// Places the variables inside a function.
fn place_inner(layout: &mut SharedLayout, n: usize, f: &Function<'_>) {
    for (id, v) in f.vars.iter().enumerate().filter(|(_, v)| v.space == Space::Shared) {
        let at = place(layout, v);
        layout.inner.insert((n, id), at);
    }
}

/// Places the module's variables that a function uses.
fn place_used(layout: &mut SharedLayout, tree: &Module<'_>, uses: &Uses) {
    for &n in &uses.direct {
        let v = &tree.variables[n];
        if v.count.is_none() {
            layout.dynamic_align = layout.dynamic_align.max(v.align);
        } else if !layout.offsets.contains_key(&n) {
            let at = place(layout, v);
            layout.offsets.insert(n, at);
        }
    }
}

/// Places a variable behind what is there; gives its offset.
fn place(layout: &mut SharedLayout, v: &Variable<'_>) -> u32 {
    let at = placed(u64::from(layout.bytes), v) as u32;
    layout.bytes = at + v.bytes() as u32;
    at
}
