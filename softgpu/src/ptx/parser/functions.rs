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
        loop {
            match self.peek() {
                Token::Dot("maxntid") => self.function.maxntid = Some(self.triple()?),
                Token::Dot("reqntid") => self.function.reqntid = Some(self.triple()?),
                Token::Dot("minnctapersm") => {
                    self.next();
                    self.function.minnctapersm = Some(self.small()?);
                }
                Token::Dot("maxnreg") => {
                    self.next();
                    self.function.maxnreg = Some(self.small()?);
                }
                Token::Dot("noreturn") => {
                    self.next();
                }
                Token::Dot("pragma") => self.pragma()?,
                Token::Dot(word) => {
                    return self.error(format!("the function directive '.{word}' is not supported"));
                }
                _ => break,
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
        self.next();
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
        self.list_until(')', " after a parameter", |parser| {
            if parser.peek() == Token::Dot("reg") {
                return parser.error("parameters in registers (.reg) are not supported, only .param");
            }
            let mut v = parser.variable_head(false)?;
            v.name = parser.word()?;
            parser.variable_tail(&mut v)?;
            Ok(parser.add_variable(v))
        })
    }

    /// Notes a variable of the function under its name.
    pub(super) fn add_variable(&mut self, v: Variable<'a>) -> VarId {
        let id = self.function.vars.len() as VarId;
        self.scopes.add_var(v.name, id);
        self.function.vars.push(v);
        id
    }
}
