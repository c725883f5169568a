//! Variables and their initial values.

use super::*;

impl<'a> Parser<'a> {
    /// `.space [.align n] [.vN] .type name[dims] [= init], ... ;`
    pub(super) fn variables(&mut self, is_extern: bool) -> Result<Vec<Variable<'a>>, SyntaxError> {
        let mut out = Vec::new();
        let first = self.variable_head(is_extern)?;
        let mut variable = first.clone();
        loop {
            variable.line = self.line();
            variable.name = self.word()?;
            self.variable_tail(&mut variable)?;
            out.push(variable);
            if !self.take(',') {
                break;
            }
            variable = first.clone();
        }
        self.expect(';')?;
        Ok(out)
    }

    pub(super) fn variable_head(&mut self, is_extern: bool) -> Result<Variable<'a>, SyntaxError> {
        let space = match self.next() {
            Token::Dot("global") => Space::Global,
            Token::Dot("const") => Space::Const,
            Token::Dot("shared" | "shared::cta") => Space::Shared,
            Token::Dot("local") => Space::Local,
            Token::Dot("param") => Space::Param,
            other => return self.error(format!("a state space expected, found {}", shown(other))),
        };
        let mut align = None;
        let mut vector = 1;
        let mut managed = false;
        loop {
            let Token::Dot(word) = self.peek() else {
                return self.error(format!("a type expected, found {}", shown(self.peek())));
            };
            self.next();
            match word {
                "align" => align = Some(self.small()?),
                "v2" => vector = 2,
                "v4" => vector = 4,
                "ptr" => self.pointer_attributes()?,
                "attribute" => {
                    self.expect('(')?;
                    let what = self.next();
                    if what != Token::Dot("managed") {
                        return self.error(format!("the attribute {} is not supported", shown(what)));
                    }
                    self.expect(')')?;
                    managed = true;
                }
                _ => {
                    let Some(ty) = Type::named(word) else {
                        return self.error(format!("'.{word}' is not a type of a variable"));
                    };
                    if matches!(self.peek(), Token::Dot("ptr")) {
                        self.next();
                        self.pointer_attributes()?;
                    }
                    let natural = ty.bytes() * vector;
                    let align = align.unwrap_or(natural);
                    if !align.is_power_of_two() {
                        return self.error(format!("an alignment of {align} is not a power of two"));
                    }
                    return Ok(Variable {
                        name: "",
                        space,
                        ty,
                        vector,
                        align,
                        count: Some(1),
                        is_extern,
                        managed,
                        init: Vec::new(),
                        line: self.line(),
                    });
                }
            }
        }
    }

    /// `.ptr [.space] [.align n]` of a kernel parameter: advice only.
    fn pointer_attributes(&mut self) -> Result<(), SyntaxError> {
        while let Token::Dot(word) = self.peek() {
            match word {
                "global" | "const" | "shared" | "local" => {
                    self.next();
                }
                "align" => {
                    self.next();
                    self.integer()?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    pub(super) fn variable_tail(&mut self, v: &mut Variable<'a>) -> Result<(), SyntaxError> {
        while self.take('[') {
            if self.take(']') {
                v.count = None;
            } else {
                let n = self.integer()?;
                v.count = v.count.and_then(|c| c.checked_mul(n));
                self.expect(']')?;
            }
        }
        if self.take('=') {
            self.initialiser(v)?;
            if v.count.is_none() {
                v.count = Some(v.init.len() as u64);
            }
        }
        Ok(())
    }

    fn initialiser(&mut self, v: &mut Variable<'a>) -> Result<(), SyntaxError> {
        if self.take('{') {
            while !self.take('}') {
                self.initialiser(v)?;
                if !self.take(',') && !self.is('}') {
                    return self.error("',' or '}' expected in an initialiser");
                }
            }
            return Ok(());
        }
        let value = match self.peek() {
            Token::Single(bits) => {
                self.next();
                Init::Single(bits)
            }
            Token::Double(bits) => {
                self.next();
                Init::Double(bits)
            }
            Token::Word(_) => self.symbol_address(None)?,
            Token::Integer(mask) if self.peek_at(1) == Token::Mark('(') => {
                self.next();
                self.next();
                let address = self.symbol_address(Some(mask))?;
                self.expect(')')?;
                address
            }
            _ => Init::Integer(self.signed()?),
        };
        v.init.push(value);
        Ok(())
    }

    /// `symbol [+ offset]` or `generic(symbol) [+ offset]`.
    fn symbol_address(&mut self, mask: Option<u64>) -> Result<Init<'a>, SyntaxError> {
        let mut symbol = self.word()?;
        if symbol == "generic" {
            self.expect('(')?;
            symbol = self.word()?;
            self.expect(')')?;
        }
        Ok(Init::Address { symbol, offset: self.offset()?, mask })
    }

    pub(super) fn offset(&mut self) -> Result<i64, SyntaxError> {
        if self.is('+') || self.is('-') {
            return Ok(self.signed()? as i64);
        }
        Ok(0)
    }
}
