//! What stands inside a function: registers, variables, labels, instructions.

use super::*;
use crate::ptx::special::joined;

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
                    self.add_variable(v);
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
                let list = self.list(Self::word)?;
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
        self.list(|parser| {
            let name = parser.word()?;
            let first = parser.function.regs.len() as RegId;
            if parser.take('<') {
                let count = parser.small()?;
                if count > 1 << 20 {
                    return parser.error(format!("{count} registers are too many"));
                }
                parser.expect('>')?;
                parser.function.regs.extend((0..count).map(|_| (ty, name)));
                parser.scopes.add_range(name, first, count);
            } else {
                parser.function.regs.push((ty, name));
                parser.scopes.add_reg(name, first);
            }
            Ok(())
        })?;
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
        let operands = if self.is(';') { Vec::new() } else { self.list(Self::operand)? };
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
        if let Some(literal) = self.literal(Operand::Single, Operand::Double) {
            return Ok(literal);
        }
        match self.peek() {
            Token::Mark('{') => {
                self.next();
                Ok(Operand::Vector(self.list_until('}', "", Self::operand)?))
            }
            Token::Mark('(') => {
                self.next();
                Ok(Operand::List(self.list_until(')', "", Self::operand)?))
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
                    return self.error(
                        "addresses with coordinates belong to textures and to tensor copies (TMA), \
                         which are not supported",
                    );
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
        let offset = self.offset()?;
        match self.scopes.var(name) {
            Some(id) => Ok(Operand::Var(id, offset)),
            None => Ok(Operand::Symbol(name, offset)),
        }
    }
}
