//! What stands at module level: directives, variables, functions.

use super::*;

impl<'a> Parser<'a> {
    pub(super) fn items(&mut self) -> Result<(), SyntaxError> {
        if self.peek() != Token::Dot("version") {
            return self.error("a PTX text begins with .version");
        }
        while self.peek() != Token::End {
            self.item()?;
        }
        Ok(())
    }

    fn item(&mut self) -> Result<(), SyntaxError> {
        let Token::Dot(word) = self.peek() else {
            return self.error(format!(
                "a directive expected, found {}",
                shown(self.peek())
            ));
        };
        match word {
            "version" => {
                self.next();
                // the lexer reads 8.8 as a decimal number and 9 as a whole one
                self.module.version = match self.next() {
                    Token::Double(bits) => {
                        let tenths = (f64::from_bits(bits) * 10.0).round() as u32;
                        (tenths / 10, tenths % 10)
                    }
                    Token::Integer(major) => (major as u32, 0),
                    other => {
                        return self.error(format!("a version expected, found {}", shown(other)));
                    }
                };
            }
            "target" => {
                self.next();
                self.module.target = self.word()?;
                while self.take(',') {
                    self.word()?;
                }
            }
            "address_size" => {
                self.next();
                if self.integer()? != 64 {
                    return self.error("only 64-bit addresses are supported");
                }
            }
            "file" => self.file()?,
            "section" => self.section()?,
            "loc" => self.loc()?,
            "pragma" => self.pragma()?,
            "alias" => {
                self.next();
                let new = self.word()?;
                self.expect(',')?;
                let old = self.word()?;
                self.expect(';')?;
                self.module.aliases.push((new, old));
            }
            "extern" | "visible" | "weak" | "common" => {
                let is_extern = word == "extern";
                self.next();
                match self.peek() {
                    Token::Dot("entry" | "func") => self.function()?,
                    _ => self.module_variable(is_extern)?,
                }
            }
            "entry" | "func" => self.function()?,
            "global" | "const" | "shared" | "local" => self.module_variable(false)?,
            _ => {
                return self.error(format!(
                    "the directive '.{word}' is not known at module level"
                ));
            }
        }
        Ok(())
    }

    fn file(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let number = self.small()?;
        let Token::Text(name) = self.next() else {
            return self.error("a file name expected after .file");
        };
        if self.take(',') {
            self.integer()?;
            self.expect(',')?;
            self.integer()?;
        }
        self.module.files.push((number, name));
        Ok(())
    }

    /// Debug sections carry nothing that execution needs.
    fn section(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let opened = self.line();
        self.next();
        self.expect('{')?;
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth -= 1,
                Token::End => return Err(SyntaxError::new(opened, "a section that never ends")),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn loc(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let place = Place {
            file: self.small()?,
            line: self.small()?,
        };
        self.integer()?;
        if self.take(',') {
            let keyword = self.word()?;
            if keyword != "function_name" {
                return self.error(format!(
                    "'function_name' expected in .loc, found '{keyword}'"
                ));
            }
            self.word()?;
            if self.take('+') {
                self.integer()?;
            }
            self.expect(',')?;
            self.word()?;
            self.integer()?;
            self.integer()?;
            self.integer()?;
        }
        // line 0 marks code that belongs to no line: the line before stays the best answer
        if place.line != 0 && self.module.places.last() != Some(&place) {
            self.module.places.push(place);
        }
        self.place = self.module.places.len() as u32;
        Ok(())
    }

    pub(super) fn pragma(&mut self) -> Result<(), SyntaxError> {
        self.next();
        loop {
            let Token::Text(text) = self.next() else {
                return self.error("a string expected after .pragma");
            };
            // The compiler loads more than it needs and says so; other pragmas are only advice.
            if let Some(mask) = text.strip_prefix("used_bytes_mask ") {
                let mask = mask.trim();
                let parsed = match mask.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16),
                    None => mask.parse(),
                };
                self.used_bytes = match parsed {
                    Ok(mask) => mask,
                    Err(_) => return self.error(format!("'{mask}' is not a mask of bytes")),
                };
            }
            if !self.take(',') {
                break;
            }
        }
        self.expect(';')
    }

    fn module_variable(&mut self, is_extern: bool) -> Result<(), SyntaxError> {
        let variables = self.variables(is_extern)?;
        self.module.variables.extend(variables);
        Ok(())
    }

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
                        return self
                            .error(format!("the attribute {} is not supported", shown(what)));
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
                        return self
                            .error(format!("an alignment of {align} is not a power of two"));
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
            Token::Word("generic") => {
                self.next();
                self.expect('(')?;
                let symbol = self.word()?;
                self.expect(')')?;
                Init::Address {
                    symbol,
                    offset: self.offset()?,
                    generic: true,
                    mask: None,
                }
            }
            Token::Word(symbol) => {
                self.next();
                Init::Address {
                    symbol,
                    offset: self.offset()?,
                    generic: false,
                    mask: None,
                }
            }
            Token::Integer(mask) if self.peek_at(1) == Token::Mark('(') => {
                self.next();
                self.next();
                let generic = self.peek() == Token::Word("generic");
                if generic {
                    self.next();
                    self.expect('(')?;
                }
                let symbol = self.word()?;
                if generic {
                    self.expect(')')?;
                }
                let offset = self.offset()?;
                self.expect(')')?;
                Init::Address {
                    symbol,
                    offset,
                    generic,
                    mask: Some(mask),
                }
            }
            _ => Init::Integer(self.signed()?),
        };
        v.init.push(value);
        Ok(())
    }

    pub(super) fn offset(&mut self) -> Result<i64, SyntaxError> {
        if self.is('+') || self.is('-') {
            return Ok(self.signed()? as i64);
        }
        Ok(0)
    }

    fn function(&mut self) -> Result<(), SyntaxError> {
        let is_entry = self.next() == Token::Dot("entry");
        self.function = Function {
            is_entry,
            line: self.line(),
            ..Function::default()
        };
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
                    return self
                        .error(format!("the function directive '.{word}' is not supported"));
                }
                _ => break,
            }
        }
        if !self.take(';') {
            self.function.has_body = true;
            self.body()?;
        }
        self.function.scopes = std::mem::take(&mut self.scopes.parents);
        self.module
            .functions
            .push(std::mem::take(&mut self.function));
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
        let mut out = Vec::new();
        while !self.take(')') {
            if self.peek() == Token::Dot("reg") {
                return self.error("parameters in registers (.reg) are not supported, only .param");
            }
            let mut v = self.variable_head(false)?;
            v.name = self.word()?;
            self.variable_tail(&mut v)?;
            let id = self.function.vars.len() as VarId;
            self.scopes.add_var(v.name, id);
            self.function.vars.push(v);
            out.push(id);
            if !self.take(',') && !self.is(')') {
                return self.error("',' or ')' expected after a parameter");
            }
        }
        Ok(out)
    }
}
