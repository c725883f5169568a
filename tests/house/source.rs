//! Rust source as tokens, and the paths that it names.

/// A word, a number, a mark such as `{`, or `::`; comments, strings and characters are left out.
pub fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out: Vec<String> = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c.is_whitespace() {
            i += 1;
        } else if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_comment(&chars, i);
        } else if let Some(end) = raw_string(&chars, i) {
            i = end;
        } else if c == '"' || (matches!(c, 'b' | 'c') && at(i + 1) == '"') {
            i += if c == '"' { 1 } else { 2 };
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            // A character; a lifetime has no second quote.
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i += 1;
        } else if word(c) {
            let start = i;
            while word(at(i)) {
                i += 1;
            }
            out.push(chars[start..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            out.push("::".into());
            i += 2;
        } else {
            out.push(c.into());
            i += 1;
        }
    }
    out
}

/// Where a block comment ends; comments nest.
fn after_comment(chars: &[char], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

/// Where a raw string that begins here ends: `r"..."`, `br#"..."#`.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    if start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_') {
        return None;
    }
    let mut i = start;
    if matches!(chars.get(i), Some('b' | 'c')) {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return None;
    }
    let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
    i += 1 + hashes;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    i += 1;
    while i < chars.len() {
        let closed = chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        i += 1;
        if closed {
            return Some(i + hashes);
        }
    }
    Some(chars.len())
}

/// A path that a file names: its segments, and the name that `use` gives to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub segments: Vec<String>,
    /// What a `use` calls it here; nothing for a path inside an expression. `*` for all of a module.
    pub alias: Option<String>,
    /// `pub use`: other files may take it from here.
    pub public: bool,
}

/// What a source file says about its surroundings.
#[derive(Debug, Default)]
pub struct Source {
    pub paths: Vec<Named>,
    /// Items that it defines itself, at any depth.
    pub defined: Vec<String>,
}

/// Reads a file; the parts under `#[cfg(test)]` are left out.
pub fn read(text: &str) -> Source {
    let tokens = without_tests(tokens(text));
    let mut source = Source::default();
    // Inline modules that are open: the depth of braces at which each ends.
    let (mut depth, mut inside): (usize, Vec<usize>) = (0, Vec::new());
    let mut i = 0;
    let word = |i: usize| tokens.get(i).map_or("", String::as_str);
    while i < tokens.len() {
        match word(i) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inside.retain(|d| *d < depth + 1);
            }
            "mod" if word(i + 2) == "{" => {
                inside.push(depth + 1);
                source.defined.push(word(i + 1).into());
            }
            "struct" | "enum" | "union" | "fn" | "trait" | "const" | "static" | "type" => {
                source.defined.push(word(i + 1).into());
            }
            "macro_rules" => source.defined.push(word(i + 2).into()),
            "use" => {
                let public = i > 0 && (word(i - 1) == "pub" || word(i - 1) == ")");
                let mut found = Vec::new();
                i = tree(&tokens, i + 1, &mut Vec::new(), &mut found);
                let paths = found.into_iter().filter_map(|(s, alias)| Some((outwards(s, inside.len())?, alias)));
                source.paths.extend(paths.map(|(segments, alias)| Named { segments, alias: Some(alias), public }));
                continue;
            }
            _ if starts_path(&tokens, i) => {
                let mut segments = vec![word(i).to_string()];
                while word(i + 1) == "::" && is_word(word(i + 2)) {
                    segments.push(word(i + 2).into());
                    i += 2;
                }
                if let Some(segments) = outwards(segments, inside.len()) {
                    source.paths.push(Named { segments, alias: None, public: false });
                }
            }
            _ => {}
        }
        i += 1;
    }
    source
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// The first word of a path of two segments or more.
fn starts_path(tokens: &[String], i: usize) -> bool {
    let next = |n: usize| tokens.get(i + n).map_or("", String::as_str);
    is_word(&tokens[i]) && next(1) == "::" && is_word(next(2)) && (i == 0 || tokens[i - 1] != "::")
}

/// `super` inside an inline module is the file itself: one `super` less for each module around.
fn outwards(mut segments: Vec<String>, modules: usize) -> Option<Vec<String>> {
    for _ in 0..modules {
        match segments.first().map(String::as_str) {
            Some("super") => segments.remove(0),
            Some("self") => return None,
            _ => break,
        };
    }
    let own = segments.len() < 2 && segments.first().is_none_or(|s| s != "super");
    (!own || modules == 0).then_some(segments)
}

/// One tree of a `use`, from `start`; returns where it ends.
fn tree(tokens: &[String], start: usize, before: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) -> usize {
    let (length, mut i) = (before.len(), start);
    let mut alias = None;
    while let Some(token) = tokens.get(i) {
        match token.as_str() {
            "::" => {}
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|t| t != "}") {
                    i = tree(tokens, i, before, found);
                    i += usize::from(tokens.get(i).is_some_and(|t| t == ","));
                }
                before.truncate(length);
                return i + 1;
            }
            "as" => {
                alias = tokens.get(i + 1).cloned();
                i += 1;
            }
            "*" => alias = Some("*".into()),
            "self" if i > start || length > 0 => {}
            word if is_word(word) => before.push(word.into()),
            _ => break,
        }
        i += 1;
    }
    let alias = alias.unwrap_or_else(|| before.last().cloned().unwrap_or_default());
    found.push((before.clone(), alias));
    before.truncate(length);
    i
}

/// Without each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut out = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if !MARK.iter().enumerate().all(|(n, mark)| tokens.get(i + n).is_some_and(|t| t == mark)) {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let mut depth = 0;
        while let Some(token) = tokens.get(i) {
            i += 1;
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (token == "}" || token == ";") {
                break;
            }
        }
    }
    out
}
