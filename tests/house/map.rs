//! Which file imports which: the paths of a workspace's files, followed to the files that define them.

use crate::source::{self, Named, Source};
use std::collections::{BTreeMap, BTreeSet};

/// The source files of a workspace and their imports.
#[derive(Default)]
pub struct Map {
    /// Path of a module, such as `warp19::ops::conv`, to its file.
    modules: BTreeMap<String, String>,
    /// File to the module that it is.
    names: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
    crates: Vec<String>,
}

impl Map {
    /// Adds a file of the crate `name`, whose sources lie in `folder`.
    pub fn add(&mut self, name: &str, folder: &str, file: &str, text: &str) {
        let inner = file.strip_prefix(folder).unwrap_or(file).trim_start_matches('/');
        let parts: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
        let mut module = vec![name];
        // main.rs, and files in bin/, are crates of their own that see the library by its name.
        let binary = inner == "main.rs" || parts[0] == "bin";
        match parts.as_slice() {
            _ if binary => module = vec![inner],
            ["lib"] => {}
            [outer @ .., "mod"] => module.extend(outer),
            all => module.extend(all),
        }
        let module = module.join("::");
        self.modules.insert(module.clone(), file.into());
        self.names.insert(file.into(), module);
        self.sources.insert(file.into(), source::read(text));
        if !self.crates.iter().any(|c| c == name) {
            self.crates.push(name.into());
        }
    }

    /// Each file with the files that it imports.
    pub fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut all = BTreeMap::new();
        for (file, source) in &self.sources {
            let mut to = BTreeSet::new();
            for path in &source.paths {
                to.extend(self.start(file, &path.segments).and_then(|(m, rest)| self.follow(&m, &rest, 0)));
            }
            to.remove(file.as_str());
            all.insert(file.as_str(), to);
        }
        all
    }

    /// The module where a path of a file begins, and the rest of the path; nothing for other crates and for names that
    /// a `use` has brought here.
    fn start(&self, file: &str, segments: &[String]) -> Option<(String, Vec<String>)> {
        let own = &self.names[file];
        let (first, mut rest) = segments.split_first()?;
        let mut module = match first.as_str() {
            "crate" => own.split("::").next()?.to_string(),
            "self" => own.clone(),
            "super" => own.rsplit_once("::")?.0.to_string(),
            name if self.modules.contains_key(&format!("{own}::{name}")) => format!("{own}::{name}"),
            name if self.crates.iter().any(|c| c == name) => name.to_string(),
            _ => return None,
        };
        while rest.first().is_some_and(|s| s == "super") {
            module = module.rsplit_once("::")?.0.to_string();
            rest = &rest[1..];
        }
        Some((module, rest.to_vec()))
    }

    /// The file that defines what a path names from a module on: through modules, then through `pub use`.
    fn follow(&self, module: &str, rest: &[String], depth: usize) -> Option<&str> {
        let file = self.modules.get(module)?;
        let Some((first, more)) = rest.split_first() else {
            return Some(file);
        };
        let inner = format!("{module}::{first}");
        if self.modules.contains_key(&inner) {
            return self.follow(&inner, more, depth);
        }
        let source = &self.sources[file];
        // A chain of names handed on is short; a longer one is a loop.
        if depth > 8 || source.defined.contains(first) {
            return Some(file);
        }
        let handed = |p: &&Named| p.alias.as_deref() == Some(first);
        if let Some(path) = source.paths.iter().find(handed) {
            let (module, mut rest) = self.start(file, &path.segments)?;
            rest.extend_from_slice(more);
            return self.follow(&module, &rest, depth + 1);
        }
        for all in source.paths.iter().filter(|p| p.public && p.alias.as_deref() == Some("*")) {
            let (module, outer) = self.start(file, &all.segments)?;
            let from = self.follow(&module, &outer, depth + 1)?;
            if self.sources[from].defined.contains(first) {
                return Some(from);
            }
        }
        Some(file)
    }
}

/// Groups of files that import each other in a loop, each sorted.
pub fn circles(imports: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let reach = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            for &next in imports.get(file).into_iter().flatten() {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|f| (*f, reach(f))).collect();
    let mut found = BTreeSet::new();
    for (file, to) in &reached {
        if to.contains(file) {
            let circle = to.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
            found.insert(circle.map(|f| f.to_string()).collect::<Vec<_>>());
        }
    }
    found.into_iter().collect()
}
