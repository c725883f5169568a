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
            b'/' if bytes.get(i + 1) == Some(&b'/') => i = end_of(bytes, i, |b| b != b'\n'),
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                let Some(length) = text[i + 2..].find("*/") else {
                    return Err(SyntaxError::new(line, "a comment that never ends"));
                };
                i += length + 4;
                line += text[start..i].matches('\n').count() as u32;
            }
            b'"' => {
                i = end_of(bytes, i + 1, |b| b != b'"' && b != b'\n') + 1;
                if bytes.get(i - 1) != Some(&b'"') {
                    return Err(SyntaxError::new(line, "a string that never ends"));
                }
                out.push((Token::Text(&text[start + 1..i - 1]), line));
            }
            b'.' if bytes.get(i + 1).is_some_and(|&b| is_word(b)) => {
                i = end_of(bytes, i + 1, is_word);
                while bytes[i..].starts_with(b"::") && bytes.get(i + 2).is_some_and(|&b| is_word(b)) {
                    i = end_of(bytes, i + 2, is_word);
                }
                out.push((Token::Dot(&text[start + 1..i]), line));
            }
            b'0'..=b'9' => {
                let malformed = || SyntaxError::new(line, format!("a malformed number at '{}'", tail(text, start)));
                let (token, end) = number(text, i).ok_or_else(malformed)?;
                i = end;
                out.push((token, line));
            }
            _ if is_word(c) || c == b'%' => {
                i = end_of(bytes, i + 1, is_word);
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

/// Where the bytes from a place on that belong to something end.
fn end_of(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|&&b| belongs(b)).count()
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
    if bytes[at] == b'0'
        && let Some(kind @ (b'f' | b'd' | b'x' | b'b')) = bytes.get(at + 1).map(u8::to_ascii_lowercase)
    {
        let radix = if kind == b'b' { 2 } else { 16 };
        let end = end_of(bytes, at + 2, |b| char::from(b).is_digit(radix));
        let digits = &text[at + 2..end];
        let value = u64::from_str_radix(digits, radix).ok()?;
        return match kind {
            b'f' => (digits.len() == 8).then_some((Token::Single(value as u32), end)),
            b'd' => (digits.len() == 16).then_some((Token::Double(value), end)),
            _ => Some((Token::Integer(value), skip_suffix(bytes, end))),
        };
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
    let radix = if digits.len() > 1 && digits.starts_with('0') { 8 } else { 10 };
    Some((Token::Integer(u64::from_str_radix(digits, radix).ok()?), skip_suffix(bytes, end)))
}

fn skip_suffix(bytes: &[u8], at: usize) -> usize {
    if matches!(bytes.get(at), Some(b'U' | b'u')) { at + 1 } else { at }
}
