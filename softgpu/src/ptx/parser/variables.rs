//! Variables and their initial values.

use super::*;

impl<'a> Parser<'a> {
    /// `.space [.align n] [.vN] .type name[dims] [= init], ... ;`
    pub(super) fn variables(&mut self, is_extern: bool) -> Result<Vec<Variable<'a>>, SyntaxError> {
        let head = self.variable_head(is_extern)?;
        let variables = self.list(|parser| {
            let mut variable = Variable { line: parser.line(), name: parser.word()?, ..head.clone() };
            parser.variable_tail(&mut variable)?;
            Ok(variable)
        })?;
        self.expect(';')?;
        Ok(variables)
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
            self.list_until('}', " in an initialiser", |parser| parser.initialiser(v))?;
            return Ok(());
        }
        if let Some(value) = self.literal(Init::Single, Init::Double) {
            v.init.push(value);
            return Ok(());
        }
        let value = match self.peek() {
            Token::Word(_) => self.address(None)?,
            Token::Integer(mask) if self.peek_at(1) == Token::Mark('(') => {
                self.next();
                self.next();
                let address = self.address(Some(mask))?;
                self.expect(')')?;
                address
            }
            _ => Init::Integer(self.signed()?),
        };
        v.init.push(value);
        Ok(())
    }

    /// `symbol+n` or `generic(symbol)+n`.
    fn address(&mut self, mask: Option<u64>) -> Result<Init<'a>, SyntaxError> {
        let generic = self.peek() == Token::Word("generic");
        if generic {
            self.next();
            self.expect('(')?;
        }
        let symbol = self.word()?;
        if generic {
            self.expect(')')?;
        }
        Ok(Init::Address { symbol, offset: self.offset()?, generic, mask })
    }

    pub(super) fn offset(&mut self) -> Result<i64, SyntaxError> {
        if self.is('+') || self.is('-') {
            return Ok(self.signed()? as i64);
        }
        Ok(0)
    }
}
