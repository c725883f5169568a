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
            Token::Mark(mark @ ('{' | '}' | ';')) => {
                self.next();
                match mark {
                    '{' => self.scopes.open(),
                    '}' => self.scopes.close(),
                    _ => {}
                }
            }
            Token::Dot("reg") => self.registers()?,
            Token::Dot("loc") => self.loc()?,
            Token::Dot("pragma") => self.pragma()?,
            Token::Dot("param" | "local" | "shared" | "shared::cta" | "global" | "const") => {
                for v in self.variables(false)? {
                    self.add_variable(v);
                }
            }
            Token::Dot(word) => return self.error(format!("the directive '.{word}' is not known in a function")),
            Token::Word(name) if self.peek_at(1) == Token::Mark(':') => {
                self.next();
                self.next();
                self.labelled(name)?;
            }
            Token::Word(_) | Token::Mark('@') => self.instruction()?,
            Token::End => return self.error("the text ends inside a function"),
            other => return self.error(format!("an instruction expected, found {}", shown(other))),
        }
        Ok(())
    }

    /// Adds a variable to the function.
    pub(super) fn add_variable(&mut self, v: Variable<'a>) -> VarId {
        let id = self.function.vars.len() as VarId;
        self.scopes.add_var(v.name, id);
        self.function.vars.push(v);
        id
    }

    /// The register of a name, which is `what` in the message when there is none.
    fn register(&mut self, what: &str) -> Result<RegId, SyntaxError> {
        let name = self.word()?;
        match self.scopes.reg(name) {
            Some(id) => Ok(id),
            None => self.error(format!("the {what} {name} was never declared")),
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
            guard = Some((self.register("predicate")?, negated));
        }
        let op = self.word()?;
        let mut mods = Vec::new();
        while let Token::Dot(word) = self.peek() {
            mods.push(word);
            self.next();
        }
        let mut operands = Vec::new();
        if !self.is(';') {
            operands.push(self.operand()?);
            while self.take(',') {
                operands.push(self.operand()?);
            }
        }
        self.expect(';')?;
        let (place, scope) = (self.place, self.scopes.current());
        let used_bytes = std::mem::replace(&mut self.used_bytes, !0);
        self.function.code.push(Instr { op, mods, guard, operands, line, place, used_bytes, scope });
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
        let token = self.peek();
        let negative = token == Token::Mark('-');
        if matches!(token, Token::Integer(_)) || negative && !matches!(self.peek_at(1), Token::Double(_)) {
            return Ok(Operand::Integer(self.signed()?));
        }
        let line = self.line();
        self.next();
        match token {
            Token::Mark('{') => Ok(Operand::Vector(self.operands_until('}')?)),
            Token::Mark('(') => Ok(Operand::List(self.operands_until(')')?)),
            Token::Mark('[') => {
                let (base, inner) = match self.simple()? {
                    Operand::Var(id, offset) => (Operand::Var(id, 0), offset),
                    Operand::Symbol(name, offset) => (Operand::Symbol(name, 0), offset),
                    other => (other, 0),
                };
                let offset = inner + self.offset()?;
                if self.is(',') {
                    while !self.is(']') && self.peek() != Token::End {
                        self.next();
                    }
                    self.expect(']')?;
                    return Ok(Operand::Coordinates);
                }
                self.expect(']')?;
                Ok(Operand::Address(Box::new(base), offset))
            }
            Token::Mark('!') => Ok(Operand::Not(self.register("register")?)),
            Token::Single(bits) => Ok(Operand::Single(bits)),
            Token::Double(bits) => Ok(Operand::Double(bits)),
            Token::Word(name) => self.named(name),
            _ => match self.peek() {
                Token::Double(bits) if negative => {
                    self.next();
                    Ok(Operand::Double(bits ^ (1 << 63)))
                }
                _ => Err(SyntaxError::new(line, format!("an operand expected, found {}", shown(token)))),
            },
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
            let mut part = "";
            if let Token::Dot(word) = self.peek() {
                self.next();
                part = word;
            }
            return match joined(special, part) {
                Some(full) => Ok(Operand::Special(full)),
                None => self.error(format!("{name} is neither a declared nor a special register")),
            };
        }
        if name == "WARP_SZ" {
            return Ok(Operand::Integer(32));
        }
        let var = self.scopes.var(name);
        let offset = if self.take('[') { self.element(name, var)? } else { self.offset()? };
        match var {
            Some(id) => Ok(Operand::Var(id, offset)),
            None => Ok(Operand::Symbol(name, offset)),
        }
    }

    /// The offset of an array's element: its number, after the `[`.
    fn element(&mut self, name: &str, var: Option<VarId>) -> Result<i64, SyntaxError> {
        let variable = match var {
            Some(id) => self.function.vars.get(id as usize),
            None => self.module.variables.iter().find(|v| v.name == name),
        };
        let Some(bytes) = variable.map(|v| i128::from(v.ty.bytes() * v.vector)) else {
            return self.error(format!("{name}[...]: no variable of that name is declared above"));
        };
        let offset = self.signed()?.checked_mul(bytes).and_then(|offset| i64::try_from(offset).ok());
        let Some(offset) = offset else {
            return self.error(format!("{name}[...]: an element beyond all addresses"));
        };
        self.expect(']')?;
        Ok(offset)
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

/// The name of a special register, its part joined with a dot, or `None` when there is no such one.
fn joined(name: &str, part: &str) -> Option<&'static str> {
    NAMES.split(' ').find(|full| full.split_once('.').unwrap_or((full, "")) == (name, part))
}

const NAMES: &str = "tid.x tid.y tid.z ntid.x ntid.y ntid.z ctaid.x ctaid.y ctaid.z nctaid.x nctaid.y nctaid.z laneid \
    warpid nwarpid smid nsmid gridid lanemask_eq lanemask_le lanemask_lt lanemask_ge lanemask_gt clock \
    clock_hi clock64 globaltimer globaltimer_lo globaltimer_hi total_smem_size aggr_smem_size \
    dynamic_smem_size envreg1 envreg2 reserved_smem_offset_begin reserved_smem_offset_end reserved_smem_offset_cap \
    reserved_smem_offset_0 reserved_smem_offset_1";
