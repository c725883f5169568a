//! Kernels and functions: their parameters and what is said before the body.

use super::*;

impl<'a> Parser<'a> {
    pub(super) fn function(&mut self) -> Result<(), SyntaxError> {
        let is_entry = self.next() == Token::Dot("entry");
        self.function = Function { is_entry, line: self.line(), ..Function::default() };
        self.scopes = Scopes::default();
        self.scopes.open();
        if !is_entry && self.is('(') {
            self.function.returns = self.parameters()?;
        }
        self.function.name = self.word()?;
        if self.is('(') {
            self.function.params = self.parameters()?;
        }
        while let Token::Dot(word) = self.peek() {
            if word == "pragma" {
                self.pragma()?;
                continue;
            }
            let line = self.line();
            self.next();
            match word {
                "maxntid" => self.function.maxntid = Some(self.triple()?),
                "reqntid" => self.function.reqntid = Some(self.triple()?),
                "minnctapersm" => self.function.minnctapersm = Some(self.small()?),
                "maxnreg" => self.function.maxnreg = Some(self.small()?),
                "noreturn" => {}
                _ => {
                    let message = format!("the function directive '.{word}' is not supported");
                    return Err(SyntaxError::new(line, message));
                }
            }
        }
        if !self.take(';') {
            self.function.has_body = true;
            self.body()?;
        }
        self.function.scopes = std::mem::take(&mut self.scopes.parents);
        self.module.functions.push(std::mem::take(&mut self.function));
        Ok(())
    }

    fn triple(&mut self) -> Result<[u32; 3], SyntaxError> {
        let mut out = [1; 3];
        for (i, slot) in out.iter_mut().enumerate() {
            if i > 0 && !self.take(',') {
                break;
            }
            *slot = self.small()?;
        }
        Ok(out)
    }

    fn parameters(&mut self) -> Result<Vec<VarId>, SyntaxError> {
        self.expect('(')?;
        let mut out = Vec::new();
        while !self.take(')') {
            if self.peek() == Token::Dot("reg") {
                return self.error("parameters in registers (.reg) are not supported, only .param");
            }
            let mut v = self.variable_head(false)?;
            v.name = self.word()?;
            self.variable_tail(&mut v)?;
            out.push(self.add_variable(v));
            if !self.take(',') && !self.is(')') {
                return self.error("',' or ')' expected after a parameter");
            }
        }
        Ok(out)
    }
}
