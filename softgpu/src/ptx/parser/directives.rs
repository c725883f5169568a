//! Directives that say where code comes from or advise the compiler.

use super::*;

impl<'a> Parser<'a> {
    pub(super) fn file(&mut self) -> Result<(), SyntaxError> {
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
    pub(super) fn section(&mut self) -> Result<(), SyntaxError> {
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
        let mut place = Place { file: self.small()?, line: self.small()?, inlined_at: None };
        self.integer()?;
        if self.take(',') {
            let keyword = self.word()?;
            if keyword != "function_name" {
                return self.error(format!("'function_name' expected in .loc, found '{keyword}'"));
            }
            self.word()?;
            if self.take('+') {
                self.integer()?;
            }
            self.expect(',')?;
            self.word()?;
            let (file, line) = (self.small()?, self.small()?);
            self.integer()?;
            place.inlined_at = Some(self.call(file, line));
        }
        // line 0 marks code that belongs to no line: the line before stays the best answer
        if place.line != 0 && self.module.places.last() != Some(&place) {
            self.module.places.push(place);
        }
        self.place = self.module.places.len() as u32;
        Ok(())
    }

    /// The latest place of that line, which is itself inlined if a `.loc` before says so.
    fn call(&mut self, file: u32, line: u32) -> u32 {
        let places = &mut self.module.places;
        let known = places.iter().rposition(|p| p.file == file && p.line == line);
        known.unwrap_or_else(|| {
            places.push(Place { file, line, inlined_at: None });
            places.len() - 1
        }) as u32
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
}
