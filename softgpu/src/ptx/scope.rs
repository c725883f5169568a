//! Names inside a function: braces open a scope, inner names hide outer ones.

use super::ast::{RegId, VarId};
use std::collections::HashMap;

#[derive(Default)]
struct Scope<'a> {
    id: u32,
    regs: HashMap<&'a str, RegId>,
    /// `%r<10>`: prefix, first register, how many.
    ranges: Vec<(&'a str, RegId, u32)>,
    vars: HashMap<&'a str, VarId>,
}

/// The open scopes of the function being parsed.
#[derive(Default)]
pub struct Scopes<'a> {
    open: Vec<Scope<'a>>,
    /// Parent of each scope ever opened.
    pub parents: Vec<u32>,
}

impl<'a> Scopes<'a> {
    pub fn open(&mut self) {
        let parent = self.open.last().map_or(0, |s| s.id);
        self.open.push(Scope { id: self.parents.len() as u32, ..Scope::default() });
        self.parents.push(parent);
    }

    pub fn close(&mut self) {
        self.open.pop();
    }

    pub fn depth(&self) -> usize {
        self.open.len()
    }

    pub fn current(&self) -> u32 {
        self.open.last().map_or(0, |s| s.id)
    }

    pub fn add_reg(&mut self, name: &'a str, id: RegId) {
        if let Some(scope) = self.open.last_mut() {
            scope.regs.insert(name, id);
        }
    }

    pub fn add_range(&mut self, prefix: &'a str, first: RegId, count: u32) {
        if let Some(scope) = self.open.last_mut() {
            scope.ranges.push((prefix, first, count));
        }
    }

    pub fn add_var(&mut self, name: &'a str, id: VarId) {
        if let Some(scope) = self.open.last_mut() {
            scope.vars.insert(name, id);
        }
    }

    pub fn reg(&self, name: &str) -> Option<RegId> {
        let split = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let number = name[split..].parse::<u32>().ok();
        for scope in self.open.iter().rev() {
            if let Some(&id) = scope.regs.get(name) {
                return Some(id);
            }
            let Some(n) = number else { continue };
            let held = |(p, _, count): &&(&str, RegId, u32)| *p == &name[..split] && n < *count;
            if let Some(&(_, first, _)) = scope.ranges.iter().find(held) {
                return Some(first + n);
            }
        }
        None
    }

    pub fn var(&self, name: &str) -> Option<VarId> {
        self.open.iter().rev().find_map(|s| s.vars.get(name).copied())
    }
}
