//! What stands inside a function: registers, variables, labels, instructions.

use super::*;

impl<'a> Parser<'a> {
    pub(super) fn body(&mut self) -> Result<(), SyntaxError> {
        self.expect('{')?;
        let outer = self.scopes.depth();
        self.scopes.open();
        while self.scopes.depth() > outer {
            self.statement()?;
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Token::Mark('{') => {
                self.next();
                self.scopes.open();
                Ok(())
            }
            Token::Mark('}') => {
                self.next();
                self.scopes.close();
                Ok(())
            }
            Token::Mark(';') => {
                self.next();
                Ok(())
            }
            Token::Dot("reg") => self.registers(),
            Token::Dot("loc") => self.loc(),
            Token::Dot("pragma") => self.pragma(),
            Token::Dot("param" | "local" | "shared" | "shared::cta" | "global" | "const") => {
                for v in self.variables(false)? {
                    let id = self.function.vars.len() as VarId;
                    self.scopes.add_var(v.name, id);
                    self.function.vars.push(v);
                }
                Ok(())
            }
            Token::Dot(word) => self.error(format!("the directive '.{word}' is not known in a function")),
            Token::Word(name) if self.peek_at(1) == Token::Mark(':') => {
                self.next();
                self.next();
                self.labelled(name)
            }
            Token::Word(_) | Token::Mark('@') => self.instruction(),
            Token::End => self.error("the text ends inside a function"),
            other => self.error(format!("an instruction expected, found {}", shown(other))),
        }
    }

    fn labelled(&mut self, name: &'a str) -> Result<(), SyntaxError> {
        let scope = self.scopes.current();
        match self.peek() {
            Token::Dot("branchtargets" | "calltargets") => {
                self.next();
                let mut list = vec![self.word()?];
                while self.take(',') {
                    list.push(self.word()?);
                }
                self.function.targets.push((scope, name, list));
                self.expect(';')
            }
            Token::Dot("callprototype") => {
                while !self.take(';') {
                    if self.next() == Token::End {
                        return self.error("a .callprototype that never ends");
                    }
                }
                self.function.prototypes.push((scope, name));
                Ok(())
            }
            _ => {
                let at = self.function.code.len();
                self.function.labels.push((scope, name, at));
                Ok(())
            }
        }
    }

    fn registers(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let ty = match self.next() {
            Token::Dot(word) => match Type::named(word) {
                Some(ty) => ty,
                None => return self.error(format!("'.{word}' is not a type of a register")),
            },
            other => return self.error(format!("a type expected, found {}", shown(other))),
        };
        loop {
            let name = self.word()?;
            let first = self.function.regs.len() as RegId;
            if self.take('<') {
                let count = self.small()?;
                if count > 1 << 20 {
                    return self.error(format!("{count} registers are too many"));
                }
                self.expect('>')?;
                self.function.regs.extend((0..count).map(|_| (ty, name)));
                self.scopes.add_range(name, first, count);
            } else {
                self.function.regs.push((ty, name));
                self.scopes.add_reg(name, first);
            }
            if !self.take(',') {
                break;
            }
        }
        self.expect(';')
    }

    fn instruction(&mut self) -> Result<(), SyntaxError> {
        let line = self.line();
        let mut guard = None;
        if self.take('@') {
            let negated = self.take('!');
            let name = self.word()?;
            let Some(reg) = self.scopes.reg(name) else {
                return self.error(format!("the predicate {name} was never declared"));
            };
            guard = Some((reg, negated));
        }
        let op = self.word()?;
        let mut mods = Vec::new();
        while let Token::Dot(word) = self.peek() {
            mods.push(word);
            self.next();
        }
        let mut operands = Vec::new();
        if !self.is(';') {
            loop {
                operands.push(self.operand()?);
                if !self.take(',') {
                    break;
                }
            }
        }
        self.expect(';')?;
        let scope = self.scopes.current();
        let place = self.place;
        self.function.code.push(Instr {
            op,
            mods,
            guard,
            operands,
            line,
            place,
            used_bytes: std::mem::replace(&mut self.used_bytes, !0),
            scope,
        });
        Ok(())
    }

    fn operand(&mut self) -> Result<Operand<'a>, SyntaxError> {
        let first = self.simple()?;
        if self.take('|') {
            let second = self.simple()?;
            return Ok(Operand::Pair(Box::new(first), Box::new(second)));
        }
        Ok(first)
    }

    fn simple(&mut self) -> Result<Operand<'a>, SyntaxError> {
        match self.peek() {
            Token::Mark('{') => {
                self.next();
                Ok(Operand::Vector(self.operands_until('}')?))
            }
            Token::Mark('(') => {
                self.next();
                Ok(Operand::List(self.operands_until(')')?))
            }
            Token::Mark('[') => {
                self.next();
                let base = self.simple()?;
                let (base, inner) = match base {
                    Operand::Var(id, offset) => (Operand::Var(id, 0), offset),
                    Operand::Symbol(name, offset) => (Operand::Symbol(name, 0), offset),
                    other => (other, 0),
                };
                let offset = inner + self.offset()?;
                if self.is(',') {
                    return self
                        .error("addresses with coordinates belong to textures and to tensor copies (TMA), which are not supported");
                }
                self.expect(']')?;
                Ok(Operand::Address(Box::new(base), offset))
            }
            Token::Mark('!') => {
                self.next();
                let name = self.word()?;
                match self.scopes.reg(name) {
                    Some(id) => Ok(Operand::Not(id)),
                    None => self.error(format!("the register {name} was never declared")),
                }
            }
            Token::Single(bits) => {
                self.next();
                Ok(Operand::Single(bits))
            }
            Token::Double(bits) => {
                self.next();
                Ok(Operand::Double(bits))
            }
            Token::Mark('-') if matches!(self.peek_at(1), Token::Double(_)) => {
                self.next();
                match self.next() {
                    Token::Double(bits) => Ok(Operand::Double(bits ^ (1 << 63))),
                    other => self.error(format!("a number expected, found {}", shown(other))),
                }
            }
            Token::Integer(_) | Token::Mark('-') => Ok(Operand::Integer(self.signed()?)),
            Token::Word(name) => {
                self.next();
                self.named(name)
            }
            other => self.error(format!("an operand expected, found {}", shown(other))),
        }
    }

    fn named(&mut self, name: &'a str) -> Result<Operand<'a>, SyntaxError> {
        if name == "_" {
            return Ok(Operand::Sink);
        }
        if let Some(id) = self.scopes.reg(name) {
            if let Token::Dot(part) = self.peek() {
                return self.error(format!("the register part '.{part}' is not supported"));
            }
            return Ok(Operand::Reg(id));
        }
        if let Some(special) = name.strip_prefix('%') {
            let full = match self.peek() {
                Token::Dot(part) => {
                    self.next();
                    super::super::special::joined(special, part)
                }
                _ => super::super::special::joined(special, ""),
            };
            return match full {
                Some(full) => Ok(Operand::Special(full)),
                None => self.error(format!("{name} is neither a declared nor a special register")),
            };
        }
        if name == "WARP_SZ" {
            return Ok(Operand::Integer(32));
        }
        let offset = self.offset()?;
        match self.scopes.var(name) {
            Some(id) => Ok(Operand::Var(id, offset)),
            None => Ok(Operand::Symbol(name, offset)),
        }
    }

    fn operands_until(&mut self, end: char) -> Result<Vec<Operand<'a>>, SyntaxError> {
        let mut out = Vec::new();
        while !self.take(end) {
            out.push(self.operand()?);
            if !self.take(',') && !self.is(end) {
                return self.error(format!("',' or '{end}' expected"));
            }
        }
        Ok(out)
    }
}
