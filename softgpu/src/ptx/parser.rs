//! Tokens to a tree.

mod body;
mod directives;
mod functions;
mod items;
mod variables;

use super::ast::*;
use super::lexer::{SyntaxError, Token, tokens};
use super::scope::Scopes;

/// Parses a PTX text.
///
/// Errors: the first thing that isn't PTX, with its line.
pub fn parse(text: &str) -> Result<Module<'_>, SyntaxError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        module: Module::default(),
        place: 0,
        used_bytes: !0,
        scopes: Scopes::default(),
        function: Function::default(),
    };
    parser.items()?;
    Ok(parser.module)
}

struct Parser<'a> {
    tokens: Vec<(Token<'a>, u32)>,
    at: usize,
    module: Module<'a>,
    /// The latest `.loc`, as in [`Instr::place`].
    place: u32,
    /// Of the next instruction, as in [`Instr::used_bytes`].
    used_bytes: u64,
    scopes: Scopes<'a>,
    function: Function<'a>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens[self.at].0
    }

    fn peek_at(&self, ahead: usize) -> Token<'a> {
        self.tokens.get(self.at + ahead).map_or(Token::End, |t| t.0)
    }

    fn line(&self) -> u32 {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.tokens[self.at].0;
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError::new(self.line(), message))
    }

    fn is(&self, mark: char) -> bool {
        self.peek() == Token::Mark(mark)
    }

    fn take(&mut self, mark: char) -> bool {
        let found = self.is(mark);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, mark: char) -> Result<(), SyntaxError> {
        if self.take(mark) {
            return Ok(());
        }
        self.error(format!("'{mark}' expected, found {}", shown(self.peek())))
    }

    fn word(&mut self) -> Result<&'a str, SyntaxError> {
        match self.peek() {
            Token::Word(w) => {
                self.next();
                Ok(w)
            }
            other => self.error(format!("a name expected, found {}", shown(other))),
        }
    }

    fn integer(&mut self) -> Result<u64, SyntaxError> {
        match self.peek() {
            Token::Integer(v) => {
                self.next();
                Ok(v)
            }
            other => self.error(format!("a whole number expected, found {}", shown(other))),
        }
    }

    fn small(&mut self) -> Result<u32, SyntaxError> {
        let value = self.integer()?;
        u32::try_from(value).or_else(|_| self.error(format!("{value} is too large here")))
    }

    /// A whole number with an optional sign and sums, such as `-4` or `8+4`.
    fn signed(&mut self) -> Result<i128, SyntaxError> {
        let mut total = 0;
        loop {
            // signs may follow each other, as in [%rd1+-4]
            let mut sign = 1;
            loop {
                if self.take('-') {
                    sign = -sign;
                } else if !self.take('+') {
                    break;
                }
            }
            total += sign * i128::from(self.integer()?);
            if !self.is('+') && !self.is('-') {
                return Ok(total);
            }
        }
    }
}

/// A token for a message.
fn shown(token: Token<'_>) -> String {
    match token {
        Token::Word(w) => format!("'{w}'"),
        Token::Dot(w) => format!("'.{w}'"),
        Token::Integer(v) => format!("'{v}'"),
        Token::Single(_) | Token::Double(_) => "a floating-point number".into(),
        Token::Text(_) => "a string".into(),
        Token::Mark(c) => format!("'{c}'"),
        Token::End => "the end of the text".into(),
    }
}
