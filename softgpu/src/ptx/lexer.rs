//! Characters to tokens.

/// A syntax error with its line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub line: u32,
    pub message: String,
}

impl SyntaxError {
    pub(crate) fn new(line: u32, message: impl Into<String>) -> SyntaxError {
        SyntaxError { line, message: message.into() }
    }
}

/// A token; identifiers keep their `%`, dotted words lose their dot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Word(&'a str),
    /// `.name`, also with `::` inside, as in `.shared::cta`.
    Dot(&'a str),
    Integer(u64),
    /// Bits of a `0f` literal.
    Single(u32),
    /// Bits of a `0d` literal or of a decimal one.
    Double(u64),
    Text(&'a str),
    Mark(char),
    End,
}

/// Splits a text; each token comes with its line.
pub fn tokens(text: &str) -> Result<Vec<(Token<'_>, u32)>, SyntaxError> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() / 4);
    let mut line = 1u32;
    let mut i = 0;
    while i < bytes.len() {
        let c = bytes[i];
        let start = i;
        match c {
            b'\n' => {
                line += 1;
                i += 1;
            }
            b' ' | b'\t' | b'\r' | 0 => i += 1,
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                while i < bytes.len() && bytes[i] != b'\n' {
                    i += 1;
                }
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                let opened = line;
                i += 2;
                while !(bytes[i..].starts_with(b"*/")) {
                    if i >= bytes.len() {
                        return Err(SyntaxError::new(opened, "a comment that never ends"));
                    }
                    line += u32::from(bytes[i] == b'\n');
                    i += 1;
                }
                i += 2;
            }
            b'"' => {
                i += 1;
                while i < bytes.len() && bytes[i] != b'"' && bytes[i] != b'\n' {
                    i += 1;
                }
                if bytes.get(i) != Some(&b'"') {
                    return Err(SyntaxError::new(line, "a string that never ends"));
                }
                out.push((Token::Text(&text[start + 1..i]), line));
                i += 1;
            }
            b'.' if bytes.get(i + 1).is_some_and(|&b| is_word(b)) => {
                i += 1;
                loop {
                    while i < bytes.len() && is_word(bytes[i]) {
                        i += 1;
                    }
                    let scoped = bytes[i..].starts_with(b"::") && bytes.get(i + 2).is_some_and(|&b| is_word(b));
                    if !scoped {
                        break;
                    }
                    i += 2;
                }
                out.push((Token::Dot(&text[start + 1..i]), line));
            }
            b'0'..=b'9' => {
                let (token, next) = number(text, i)
                    .ok_or_else(|| SyntaxError::new(line, format!("a malformed number at '{}'", tail(text, start))))?;
                i = next;
                out.push((token, line));
            }
            _ if is_word(c) || c == b'%' => {
                i += 1;
                while i < bytes.len() && is_word(bytes[i]) {
                    i += 1;
                }
                out.push((Token::Word(&text[start..i]), line));
            }
            _ if c.is_ascii_punctuation() => {
                out.push((Token::Mark(c as char), line));
                i += 1;
            }
            _ => {
                let message = format!("a character that PTX doesn't have: '{}'", tail(text, start));
                return Err(SyntaxError::new(line, message));
            }
        }
    }
    out.push((Token::End, line));
    Ok(out)
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$'
}

fn tail(text: &str, at: usize) -> String {
    text.get(at..).unwrap_or("").chars().take(16).collect()
}

/// Reads a number at `at`; gives the token and where the text goes on.
fn number(text: &str, at: usize) -> Option<(Token<'_>, usize)> {
    let bytes = text.as_bytes();
    let hex = |from: usize| {
        let mut end = from;
        while end < bytes.len() && bytes[end].is_ascii_hexdigit() {
            end += 1;
        }
        end
    };
    if bytes[at] == b'0' {
        match bytes.get(at + 1) {
            Some(b'f' | b'F') => {
                let end = hex(at + 2);
                return (end == at + 10)
                    .then(|| u32::from_str_radix(&text[at + 2..end], 16).ok())?
                    .map(|bits| (Token::Single(bits), end));
            }
            Some(b'd' | b'D') => {
                let end = hex(at + 2);
                return (end == at + 18)
                    .then(|| u64::from_str_radix(&text[at + 2..end], 16).ok())?
                    .map(|bits| (Token::Double(bits), end));
            }
            Some(b'x' | b'X') => {
                let end = hex(at + 2);
                let value = u64::from_str_radix(&text[at + 2..end], 16).ok()?;
                return Some((Token::Integer(value), skip_suffix(bytes, end)));
            }
            Some(b'b' | b'B') => {
                let mut end = at + 2;
                while matches!(bytes.get(end), Some(b'0' | b'1')) {
                    end += 1;
                }
                let value = u64::from_str_radix(&text[at + 2..end], 2).ok()?;
                return Some((Token::Integer(value), skip_suffix(bytes, end)));
            }
            _ => {}
        }
    }
    let mut end = at;
    let mut real = false;
    while let Some(&b) = bytes.get(end) {
        match b {
            b'0'..=b'9' => {}
            b'.' if bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => real = true,
            b'e' | b'E' => {
                real = true;
                if matches!(bytes.get(end + 1), Some(b'+' | b'-')) {
                    end += 1;
                }
            }
            _ => break,
        }
        end += 1;
    }
    let digits = &text[at..end];
    if real {
        let value: f64 = digits.parse().ok()?;
        return Some((Token::Double(value.to_bits()), end));
    }
    let value = if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some((Token::Integer(value), skip_suffix(bytes, end)))
}

fn skip_suffix(bytes: &[u8], at: usize) -> usize {
    if matches!(bytes.get(at), Some(b'U' | b'u')) { at + 1 } else { at }
}
